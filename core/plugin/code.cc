#include "core/plugin/code.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>

namespace lotse::plugin {
namespace {

struct Row {
  int32_t code;
  Reason reason;
  std::string_view words;
};
// The first row of a reason is the code that stands for it on the way back.
constexpr Row kRows[] = {
    {LOTSE_OK, Reason::kOk, ""},
    {LOTSE_INVALID, Reason::kBadRequest, "the plugin was asked for something that makes no sense"},
    {LOTSE_INVALID, Reason::kInvalid, ""},
    {LOTSE_NOT_FOUND, Reason::kNotFound, "not found"},
    {LOTSE_EXISTS, Reason::kAlreadyExists, "it exists already"},
    {LOTSE_CONFLICT, Reason::kConflict, "it has changed meanwhile"},
    {LOTSE_COMPACTED, Reason::kExpired, "the revision is no longer kept"},
    {LOTSE_COMPACTED, Reason::kGone, ""},
    {LOTSE_NO_SPACE, Reason::kInsufficientStorage, "there is no space left"},
    {LOTSE_READ_ONLY, Reason::kInsufficientStorage, "the store cannot be written to"},
    {LOTSE_UNAVAILABLE, Reason::kServiceUnavailable, "not available at the moment"},
    {LOTSE_UNKNOWN, Reason::kUnknownOutcome, "it is not known whether it has happened"},
    {LOTSE_DEADLINE, Reason::kTimeout, "it took too long"},
    {LOTSE_CANCELLED, Reason::kCancelled, "cancelled"},
    {LOTSE_UNSUPPORTED, Reason::kMethodNotAllowed, "this plugin does not offer that"},
    {LOTSE_INTERNAL, Reason::kInternalError, "the plugin failed"},
    {LOTSE_DENIED, Reason::kForbidden, "it is not allowed"},
    {LOTSE_DENIED, Reason::kUnauthorized, ""},
    {LOTSE_TOO_LARGE, Reason::kRequestEntityTooLarge, "it is too large"},
    {LOTSE_BUSY, Reason::kTooManyRequests, "a queue is full"},
};

}  // namespace

Status status_of(int32_t code, std::string_view sentence) {
  for (const Row& row : kRows) {
    if (row.code != code) continue;
    if (code == LOTSE_OK) return {};
    return Status(row.reason, std::string(sentence.empty() ? row.words : sentence));
  }
  return Status(Reason::kInternalError,
                fmt::format("the plugin answered with the unknown code {}: {}", code, sentence));
}

Status status_of(const lotse_error& error) {
  size_t length = ::strnlen(error.message, sizeof error.message);
  return status_of(error.code == LOTSE_OK ? int32_t(LOTSE_INTERNAL) : error.code, {error.message, length});
}

int32_t code_of(const Status& status) {
  for (const Row& row : kRows) {
    if (row.reason == status.reason) return row.code;
  }
  return LOTSE_INTERNAL;
}

int32_t tell(lotse_error* error, const Status& status) {
  int32_t code = code_of(status);
  if (error == nullptr || error->size <= offsetof(lotse_error, message)) return code;
  error->code = code;
  size_t room = std::min<size_t>(error->size - offsetof(lotse_error, message), sizeof error->message);
  size_t length = std::min(status.message.size(), room - 1);
  std::memcpy(error->message, status.message.data(), length);
  error->message[length] = '\0';
  return code;
}

}  // namespace lotse::plugin
