#include "core/api/call.h"

#include "core/api/output.h"
#include "core/api/server_impl.h"

namespace lotse::api {

store::ResourceName stored_name(std::string_view group, std::string_view resource) {
  std::string name(resource);
  if (!group.empty()) name.append(".").append(group);
  return name;
}

store::ResourceName Call::stored() const {
  const schema::ResourceInfo& storage = schema::storage(*resource);
  return stored_name(storage.group, storage.resource);
}
store::Key Call::key() const { return key(request.name); }
store::Key Call::key(std::string_view name) const {
  return {stored(), resource->namespaced ? request.ns : std::string(), std::string(name)};
}

std::string Call::described() const {
  std::string text = resource ? stored() : request.path;
  if (!request.name.empty()) text += " \"" + request.name + "\"";
  return text;
}

namespace {

// A Warning header is a quoted string: what would end it early is escaped, what is no text is left out.
std::string quoted(std::string_view text) {
  std::string out = "299 - \"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) continue;
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

}  // namespace

void Call::reply(Response response) {
  if (replied.exchange(true)) return;  // its deadline may have been quicker
  server.in_flight().remove(this);
  if (!audit_id.empty()) response.headers.emplace_back("Audit-Id", audit_id);
  for (const auto& warning : warnings) response.headers.emplace_back("Warning", quoted(warning));
  server.metrics().count(*this, response.status);
  Respond answer = std::move(respond);
  respond = nullptr;
  answer(std::move(response));
}

void Call::fail(Status status) {
  if (status.reason == Reason::kConflict && status.group == "guard") status.group.clear();
  // The store names things by its own resource names.
  if (resource && status.group.empty() && status.kind == stored()) {
    status.group = resource->group;
    status.kind = resource->resource;
  }
  reply(status_response(status));
}

void Call::give(int code, const ObjectPtr& object) { reply(object_response(*this, code, object)); }

void Call::give(int code, const json::Value& document) {
  Response r;
  r.status = code;
  r.body.push_back(json::write_bytes(document));
  reply(std::move(r));
}

Status forbidden(const Call& call, std::string_view name, std::string_view why) {
  std::string text = stored_name(call.resource->group, call.resource->resource);
  if (!name.empty()) text += " \"" + std::string(name) + "\"";
  Status status(Reason::kForbidden, text + " is forbidden: " + std::string(why));
  status.group = call.resource->group;
  status.kind = call.resource->resource;
  status.name = name;
  return status;
}

}  // namespace lotse::api
