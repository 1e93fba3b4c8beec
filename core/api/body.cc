#include "core/api/body.h"

#include "core/api/protobuf.h"

namespace lotse::api {
namespace {

std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

std::string quote(std::string_view s) { return "\"" + std::string(s) + "\""; }

Status check_kind(const Call& call, json::Value* object) {
  if (!object->is_object()) return {Reason::kBadRequest, "the body of the request must be an object"};
  const json::Value& given = *object;  // asked as const: what is missing must not be put in, which moves the rest
  const std::string_view version = given["apiVersion"].str(), kind = given["kind"].str();
  const std::string expected = call.resource->api_version();
  if (!version.empty() && version != expected) {
    return {Reason::kBadRequest, "the API version in the data (" + std::string(version) +
                                     ") does not match the expected API version (" + expected + ")"};
  }
  if (!kind.empty() && kind != call.resource->kind) {
    return {Reason::kBadRequest, "the kind in the data (" + std::string(kind) + ") does not match the expected kind (" +
                                     std::string(call.resource->kind) + ")"};
  }
  object->set("apiVersion", expected).set("kind", call.resource->kind);
  return {};
}

Status check_place(const Call& call, json::Value* object) {
  json::Value& metadata = (*object)["metadata"];
  const std::string_view ns = metadata["namespace"].str();
  if (!call.resource->namespaced) {
    metadata.erase("namespace");
    return {};
  }
  if (!ns.empty() && ns != call.request.ns) {
    return {Reason::kBadRequest, "the namespace of the provided object does not match the namespace sent on the request"};
  }
  metadata.set("namespace", call.request.ns);
  return {};
}

Status treat_unknown(Call& call, std::vector<std::string> complaints) {
  const std::string_view mode = call.request.option("fieldValidation");
  if (complaints.empty() || mode == "Ignore") return {};
  if (mode != "Strict") {
    call.warnings.insert(call.warnings.end(), complaints.begin(), complaints.end());
    return {};
  }
  std::string all;
  for (const auto& c : complaints) all += (all.empty() ? "" : ", ") + c;
  return {Reason::kBadRequest, std::string(call.resource->kind) + " in version " + quote(call.resource->version) +
                                   " cannot be handled as a " + std::string(call.resource->kind) + ": strict decoding error: " + all};
}

}  // namespace

Result<json::Value> decode(const Call& call, std::vector<std::string>* duplicates) {
  const std::string type = media_type(call.request.content_type);
  if (type.empty() || type == "application/json") return json::parse(call.request.body, duplicates);
  if (type == "application/yaml") return json::parse_yaml(call.request.body);
  if (type == "application/vnd.kubernetes.protobuf") {
    const auto& r = *call.resource;
    if (call.subresource) {
      const std::string group(call.subresource->group);
      const std::string version = group.empty() ? std::string(call.subresource->version) : group + "/" + std::string(call.subresource->version);
      return decode_protobuf(call.request.body, version, call.subresource->kind);
    }
    return decode_protobuf(call.request.body, r.api_version(), r.kind);
  }
  return Status(Reason::kUnsupportedMediaType, "the body of the request was in an unknown format - accepted media types include: "
                                               "application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

Result<json::Value> read_object(Call& call, const json::Value* old) {
  std::vector<std::string> duplicates;
  LOTSE_TRY(json::Value object, decode(call, &duplicates));
  LOTSE_CHECK_OK(take_object(call, &object, old, std::move(duplicates)));
  return object;
}

Status take_object(Call& call, json::Value* object, const json::Value* old, std::vector<std::string> duplicates) {
  LOTSE_CHECK_OK(check_kind(call, object));
  if (object->has("metadata") && !(*object)["metadata"].is_object() && !(*object)["metadata"].is_null()) {
    return {Reason::kBadRequest, "metadata must be an object"};
  }
  LOTSE_CHECK_OK(check_place(call, object));
  // An empty list means that nothing shall be managed; it must not be pruned to one that was left out.
  if (json::Value* managed = (*object)["metadata"].find("managedFields"); managed && managed->is_array() && managed->empty()) {
    managed->push(json::Value::object());
  }
  LOTSE_CHECK_OK(schema::check_types(*call.resource, *object));
  std::vector<std::string> unknown, complaints;
  schema::prune(*call.resource, object, &unknown);
  for (const auto& path : unknown) complaints.push_back("unknown field " + quote(path));
  for (const auto& path : duplicates) complaints.push_back("duplicate field " + quote(path));
  LOTSE_CHECK_OK(treat_unknown(call, std::move(complaints)));
  json::Value& metadata = (*object)["metadata"];
  metadata.erase("selfLink");
  schema::apply_defaults(*call.resource, object, old);
  return {};
}

Result<json::Value> read_body(const Call& call, std::string_view kind) {
  if (call.request.body.empty()) return json::Value();
  LOTSE_TRY(json::Value body, decode(call, nullptr));
  if (body.is_null()) return body;
  if (!body.is_object()) return Status(Reason::kBadRequest, "the body of the request must be an object");
  const std::string_view given = body["kind"].str();
  if (!given.empty() && given != kind) {
    return Status(Reason::kBadRequest, "expected a " + std::string(kind) + " in the body of the request, got a " + std::string(given));
  }
  return body;
}

Status invalid(const Call& call, std::string_view name, std::vector<Cause> causes) {
  return Status::invalid(call.resource->group, call.resource->kind, name, std::move(causes));
}

}  // namespace lotse::api
