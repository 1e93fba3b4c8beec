// What went wrong, in the terms of a Kubernetes Status: a reason with its HTTP code, a sentence, and the fields that
// are to blame. Every room passes errors on in this one form; core/api turns it into the object of kind Status.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lotse {

// Kubernetes' StatusReason values (API conventions, "Response Status Kind"), and the few that Lotse needs inside.
enum class Reason : uint8_t {
  kOk,
  kBadRequest,            // 400
  kUnauthorized,          // 401
  kForbidden,             // 403
  kNotFound,              // 404
  kMethodNotAllowed,      // 405
  kNotAcceptable,         // 406
  kAlreadyExists,         // 409
  kConflict,              // 409
  kGone,                  // 410
  kExpired,               // 410: the revision was compacted
  kRequestEntityTooLarge, // 413
  kUnsupportedMediaType,  // 415
  kInvalid,               // 422
  kTooManyRequests,       // 429
  kInternalError,         // 500
  kServiceUnavailable,    // 503
  kServerTimeout,         // 500: try again
  kTimeout,               // 504
  kInsufficientStorage,   // 507
  kUnknownOutcome,        // 500: it may or may not have happened; never leaves the store without a look at the key
  kCancelled,             // 499: whoever asked has gone
};

int http_code(Reason reason);
std::string_view reason_name(Reason reason);  // "NotFound"; "" for kOk
Reason reason_of_http(int code);

// One entry of status.details.causes.
struct Cause {
  std::string field;    // "spec.containers[0].name"
  std::string reason;   // "FieldValueRequired", "FieldValueInvalid", "FieldValueNotSupported", "FieldValueDuplicate",
                        // "FieldValueForbidden", "FieldValueTooLong", "FieldValueTypeInvalid", "FieldValueTooMany"
  std::string message;  // "Required value: ..."
};

struct [[nodiscard]] Status {
  Reason reason = Reason::kOk;
  std::string message;
  std::vector<Cause> causes;
  std::string group, kind, name, uid;  // status.details
  int retry_after_s = 0;

  Status() = default;
  Status(Reason r, std::string m) : reason(r), message(std::move(m)) {}
  bool ok() const { return reason == Reason::kOk; }
  explicit operator bool() const { return ok(); }
  static Status invalid(std::string_view group, std::string_view kind, std::string_view name, std::vector<Cause> causes);
  static Status not_found(std::string_view group, std::string_view resource, std::string_view name);
  static Status already_exists(std::string_view group, std::string_view resource, std::string_view name);
  static Status conflict(std::string_view group, std::string_view resource, std::string_view name, std::string_view why);
};

}  // namespace lotse
