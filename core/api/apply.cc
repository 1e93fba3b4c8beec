#include "core/api/apply.h"

#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/managed_fields.h"
#include "core/api/server_impl.h"
#include "core/api/update_rules.h"

namespace lotse::api {
namespace {

Status bad(std::string why) { return {Reason::kBadRequest, std::move(why)}; }

Result<json::Value> decode_applied(const Call& call) {
  const std::string_view text = call.request.body.view();
  const size_t begin = text.find_first_not_of(" \t\r\n");
  auto document = begin != std::string_view::npos && text[begin] == '{' ? json::parse(text) : json::parse_yaml(text);
  if (!document.ok()) return bad("error decoding YAML: " + document.status().message);
  if (!document->is_object()) return bad("error decoding YAML: an object is expected");
  return document;
}

struct Application : std::enable_shared_from_this<Application> {
  CallPtr call;
  json::Value applied;

  void run() {
    change(call, call->key(), true, [self = shared_from_this()](Call& c, const ObjectPtr& current, const json::Value& old) { return self->applied_to(c, current, old); },
           [self = shared_from_this()](Result<ObjectPtr> r) {
             const CallPtr& call = self->call;
             if (r.ok()) return call->give(200, *r);
             if (r.status().reason != Reason::kNotFound || !call->request.subresource.empty()) return call->fail(r.status());
             self->create();
           });
  }

  Result<json::Value> applied_to(Call& c, const ObjectPtr& current, const json::Value& old) {
    c.warnings.clear();
    LOTSE_CHECK_OK(check_preconditions(c, std::as_const(applied)["metadata"], current));
    LOTSE_TRY(json::Value object, apply_fields(c, applied, &old));
    object["metadata"].set("resourceVersion", old["metadata"]["resourceVersion"]);
    LOTSE_CHECK_OK(take_object(c, &object, &old, {}));
    keep_times_of_no_change(&object, old);
    return object;
  }

  void create() {
    const json::Value& metadata = std::as_const(applied)["metadata"];
    const auto gone = [&](std::string_view why) {
      return Status::conflict(call->resource->group, call->resource->resource, call->request.name, why);
    };
    if (!metadata["uid"].str().empty()) return call->fail(gone("Precondition failed: UID in precondition: " + std::string(metadata["uid"].str()) + ", UID in object meta: "));
    if (!metadata["resourceVersion"].str().empty()) return call->fail(Status::not_found(call->resource->group, call->resource->resource, call->request.name));
    if (auto s = may_create(*call); !s.ok()) return call->fail(std::move(s));
    auto object = apply_fields(*call, applied, nullptr);
    if (!object.ok()) return call->fail(object.status());
    if (auto s = take_object(*call, &*object, nullptr, {}); !s.ok()) return call->fail(std::move(s));
    create_object(call, *std::move(object), [self = shared_from_this()] { self->run(); });
  }
};

}  // namespace

bool is_apply_patch(const Request& request) { return request.verb == Verb::kPatch && request.content_type.starts_with("application/apply-patch+"); }

Result<json::Value> read_applied(const Call& call, std::string_view api_version, std::string_view kind, const schema::TypeInfo& type) {
  if (!call.request.content_type.starts_with("application/apply-patch+yaml")) {
    return Status(Reason::kUnsupportedMediaType, "of server-side apply's media types the server accepts application/apply-patch+yaml");
  }
  LOTSE_TRY(json::Value applied, decode_applied(call));
  const std::string_view version = std::as_const(applied)["apiVersion"].str();
  if (version != api_version) {
    return bad("Incorrect version specified in apply patch. Specified patch version: " + std::string(version) + ", expected: " + std::string(api_version));
  }
  if (std::as_const(applied)["kind"].str() != kind) {
    return bad("the kind in the data (" + std::string(std::as_const(applied)["kind"].str()) + ") does not match the expected kind (" + std::string(kind) + ")");
  }
  const json::Value& metadata = std::as_const(applied)["metadata"];
  if (!metadata["managedFields"].empty()) return bad("metadata.managedFields must be nil");
  if (!metadata["name"].str().empty() && metadata["name"].str() != call.request.name) {
    return bad("the name of the object (" + std::string(metadata["name"].str()) + ") does not match the name on the URL (" + call.request.name + ")");
  }
  const std::string why = schema::check_applied(type, applied);
  if (why.empty()) return applied;
  return Status(Reason::kInternalError, "failed to create typed patch object (" + call.request.ns + "/" + call.request.name + "; " + std::string(api_version) +
                                            ", Kind=" + std::string(kind) + "): " + why);
}

void apply_configuration(const CallPtr& call) {
  const auto& r = *call->resource;
  auto applied = read_applied(*call, r.api_version(), r.kind, *r.type);
  if (!applied.ok()) return call->fail(applied.status());
  if (auto s = schema::check_types(r, *applied); !s.ok()) return call->fail(std::move(s));
  auto application = std::make_shared<Application>();
  application->call = call;
  json::Value& metadata = (*applied)["metadata"];
  metadata.set("name", call->request.name);
  metadata.erase("managedFields");
  application->applied = *std::move(applied);
  application->run();
}

}  // namespace lotse::api
