#include "core/api/request.h"

#include "core/api/status_object.h"

namespace lotse::api {

std::string_view verb_name(Verb verb) {
  switch (verb) {
    case Verb::kGet: return "get";
    case Verb::kList: return "list";
    case Verb::kWatch: return "watch";
    case Verb::kCreate: return "create";
    case Verb::kUpdate: return "update";
    case Verb::kPatch: return "patch";
    case Verb::kDelete: return "delete";
    case Verb::kDeleteCollection: return "deletecollection";
    case Verb::kConnect: return "connect";
    case Verb::kHead: return "head";
    case Verb::kPost: return "post";
    case Verb::kPut: return "put";
    case Verb::kOptions: return "options";
  }
  return "unknown";
}

std::string_view Request::option(std::string_view wanted) const {
  for (const auto& [name, value] : options) {
    if (name == wanted) return value;
  }
  return {};
}

bool Request::has_option(std::string_view wanted) const {
  return std::any_of(options.begin(), options.end(), [&](const auto& o) { return o.first == wanted; });
}

std::vector<std::string_view> Request::option_values(std::string_view wanted) const {
  std::vector<std::string_view> values;
  for (const auto& [name, value] : options) {
    if (name == wanted) values.push_back(value);
  }
  return values;
}

std::string Response::text() const {
  std::string all;
  for (const auto& part : body) all.append(part.view());
  return all;
}

Response status_response(const Status& status) {
  Response r;
  r.status = http_code(status.reason);
  r.body.push_back(json::write_bytes(status_value(status)));
  if (status.retry_after_s > 0) r.headers.emplace_back("Retry-After", std::to_string(status.retry_after_s));
  return r;
}

Status status_of(const Response& response) {
  if (response.status >= 200 && response.status < 300) return {};
  const auto value = json::parse(response.text());
  if (value.ok() && (*value)["kind"].str() == "Status") return status_from_value(*value, response.status);
  return {reason_of_http(response.status), response.text()};
}

}  // namespace lotse::api
