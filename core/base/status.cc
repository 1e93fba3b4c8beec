#include "core/base/status.h"

#include <fmt/format.h>

namespace lotse {
namespace {

struct ReasonFacts {
  int http;
  std::string_view name;
};

ReasonFacts facts_of(Reason reason) {
  switch (reason) {
    case Reason::kOk:
      return {200, ""};
    case Reason::kBadRequest:
      return {400, "BadRequest"};
    case Reason::kUnauthorized:
      return {401, "Unauthorized"};
    case Reason::kForbidden:
      return {403, "Forbidden"};
    case Reason::kNotFound:
      return {404, "NotFound"};
    case Reason::kMethodNotAllowed:
      return {405, "MethodNotAllowed"};
    case Reason::kNotAcceptable:
      return {406, "NotAcceptable"};
    case Reason::kAlreadyExists:
      return {409, "AlreadyExists"};
    case Reason::kConflict:
      return {409, "Conflict"};
    case Reason::kGone:
      return {410, "Gone"};
    case Reason::kExpired:
      return {410, "Expired"};
    case Reason::kRequestEntityTooLarge:
      return {413, "RequestEntityTooLarge"};
    case Reason::kUnsupportedMediaType:
      return {415, "UnsupportedMediaType"};
    case Reason::kInvalid:
      return {422, "Invalid"};
    case Reason::kTooManyRequests:
      return {429, "TooManyRequests"};
    case Reason::kInternalError:
      return {500, "InternalError"};
    case Reason::kServiceUnavailable:
      return {503, "ServiceUnavailable"};
    case Reason::kServerTimeout:
      return {500, "ServerTimeout"};
    case Reason::kTimeout:
      return {504, "Timeout"};
    case Reason::kInsufficientStorage:
      return {507, "InsufficientStorage"};
    case Reason::kUnknownOutcome:
      return {500, "UnknownOutcome"};
    case Reason::kCancelled:
      return {499, "Cancelled"};
  }
  return {500, "InternalError"};
}

// "deployments.apps", "pods"
std::string qualified(std::string_view group, std::string_view name) {
  return group.empty() ? std::string(name) : fmt::format("{}.{}", name, group);
}

Status about(Reason reason, std::string_view group, std::string_view kind, std::string_view name, std::string text) {
  Status status(reason, std::move(text));
  status.group = group;
  status.kind = kind;
  status.name = name;
  return status;
}

}  // namespace

int http_code(Reason reason) {
  return facts_of(reason).http;
}
std::string_view reason_name(Reason reason) {
  return facts_of(reason).name;
}

Reason reason_of_http(int code) {
  if (code >= 200 && code < 400) return Reason::kOk;
  switch (code) {
    case 401:
      return Reason::kUnauthorized;
    case 403:
      return Reason::kForbidden;
    case 404:
      return Reason::kNotFound;
    case 405:
      return Reason::kMethodNotAllowed;
    case 406:
      return Reason::kNotAcceptable;
    case 409:
      return Reason::kConflict;
    case 410:
      return Reason::kGone;
    case 413:
      return Reason::kRequestEntityTooLarge;
    case 415:
      return Reason::kUnsupportedMediaType;
    case 422:
      return Reason::kInvalid;
    case 429:
      return Reason::kTooManyRequests;
    case 499:
      return Reason::kCancelled;
    case 503:
      return Reason::kServiceUnavailable;
    case 504:
      return Reason::kTimeout;
    case 507:
      return Reason::kInsufficientStorage;
  }
  return code >= 400 && code < 500 ? Reason::kBadRequest : Reason::kInternalError;
}

// Wording and shape are those that clients of Kubernetes match on.
Status Status::invalid(std::string_view group, std::string_view kind, std::string_view name,
                       std::vector<Cause> causes) {
  std::string text = fmt::format("{} \"{}\" is invalid", qualified(group, kind), name);
  if (causes.size() == 1) text += fmt::format(": {}: {}", causes[0].field, causes[0].message);
  if (causes.size() > 1) {
    std::vector<std::string> seen;
    for (const Cause& cause : causes) {
      std::string one = fmt::format("{}: {}", cause.field, cause.message);
      if (std::find(seen.begin(), seen.end(), one) == seen.end()) seen.push_back(std::move(one));
    }
    text += seen.size() == 1 ? ": " + seen[0] : fmt::format(": [{}]", fmt::join(seen, ", "));
  }
  Status status = about(Reason::kInvalid, group, kind, name, std::move(text));
  status.causes = std::move(causes);
  return status;
}

Status Status::not_found(std::string_view group, std::string_view resource, std::string_view name) {
  return about(Reason::kNotFound, group, resource, name,
               fmt::format("{} \"{}\" not found", qualified(group, resource), name));
}

Status Status::already_exists(std::string_view group, std::string_view resource, std::string_view name) {
  return about(Reason::kAlreadyExists, group, resource, name,
               fmt::format("{} \"{}\" already exists", qualified(group, resource), name));
}

Status Status::conflict(std::string_view group, std::string_view resource, std::string_view name,
                        std::string_view why) {
  return about(Reason::kConflict, group, resource, name,
               fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", qualified(group, resource), name, why));
}

}  // namespace lotse
