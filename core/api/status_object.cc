#include "core/api/status_object.h"

namespace lotse::api {
namespace {

json::Value frame(std::string_view outcome) {
  return json::Value::object({{"apiVersion", "v1"}, {"kind", "Status"}, {"metadata", json::Value::object()}, {"status", outcome}});
}

void set_if(json::Value& object, std::string_view key, std::string_view value) {
  if (!value.empty()) object.set(key, value);
}

}  // namespace

json::Value status_value(const Status& status) {
  json::Value v = frame(status.ok() ? "Success" : "Failure");
  v.set("code", http_code(status.reason));
  if (status.ok()) return v;
  v.set("message", status.message).set("reason", reason_name(status.reason));
  json::Value details = json::Value::object();
  set_if(details, "name", status.name);
  set_if(details, "group", status.group);
  set_if(details, "kind", status.kind);
  set_if(details, "uid", status.uid);
  if (status.retry_after_s > 0) details.set("retryAfterSeconds", status.retry_after_s);
  for (const auto& cause : status.causes) {
    json::Value c = json::Value::object({{"reason", cause.reason}, {"message", cause.message}});
    set_if(c, "field", cause.field);
    details["causes"].push(std::move(c));
  }
  if (!details.empty()) v.set("details", std::move(details));
  return v;
}

Status status_from_value(const json::Value& v, int http_status) {
  Status status(reason_of_http(http_status), std::string(v["message"].str()));
  const std::string_view name = v["reason"].str();
  for (int r = 1; r <= static_cast<int>(Reason::kCancelled); ++r) {
    if (reason_name(static_cast<Reason>(r)) == name) status.reason = static_cast<Reason>(r);
  }
  const json::Value& details = v["details"];
  status.group = details["group"].str();
  status.kind = details["kind"].str();
  status.name = details["name"].str();
  status.uid = details["uid"].str();
  status.retry_after_s = static_cast<int>(details["retryAfterSeconds"].integer());
  for (const auto& c : details["causes"].items()) {
    status.causes.push_back({std::string(c["field"].str()), std::string(c["reason"].str()), std::string(c["message"].str())});
  }
  return status;
}

json::Value success_value(std::string_view group, std::string_view resource, std::string_view name, std::string_view uid) {
  json::Value v = frame("Success");
  json::Value details = json::Value::object({{"name", name}, {"kind", resource}});
  set_if(details, "group", group);
  set_if(details, "uid", uid);
  v.set("details", std::move(details));
  return v;
}

}  // namespace lotse::api
