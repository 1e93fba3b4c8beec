#include "core/api/patch.h"

#include "core/api/apply.h"
#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/managed_fields.h"
#include "core/api/update_rules.h"
#include "core/api/verbs.h"

namespace lotse::api {

Result<Patch> read_patch(const Call& call) {
  std::string type(call.request.content_type.substr(0, call.request.content_type.find(';')));
  Patch patch;
  if (type == "application/json-patch+json") {
    patch.kind = Patch::Kind::kJson;
  } else if (type == "application/merge-patch+json") {
    patch.kind = Patch::Kind::kMerge;
  } else if (type == "application/strategic-merge-patch+json") {
    patch.kind = Patch::Kind::kStrategic;
  } else {
    return Status(Reason::kUnsupportedMediaType,
                  "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
                  "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml");
  }
  LOTSE_TRY(patch.document, json::parse(call.request.body));
  const bool fits = patch.kind == Patch::Kind::kJson ? patch.document.is_array() : patch.document.is_object();
  if (!fits) return Status(Reason::kBadRequest, "the body of a patch of this type must be " + std::string(patch.kind == Patch::Kind::kJson ? "an array" : "an object"));
  return patch;
}

Result<json::Value> apply(const Patch& patch, const schema::TypeInfo& type, json::Value document) {
  switch (patch.kind) {
    case Patch::Kind::kJson: {
      auto patched = json::apply_json_patch(std::move(document), patch.document);
      if (patched.ok()) return patched;
      const bool is_bad = patched.status().reason == Reason::kBadRequest;
      return Status(is_bad ? Reason::kBadRequest : Reason::kInvalid, patched.status().message);
    }
    case Patch::Kind::kMerge: return json::merge_patch(std::move(document), patch.document);
    case Patch::Kind::kStrategic: return schema::strategic_merge(type, std::move(document), patch.document);
  }
  return Status(Reason::kInternalError, "no such patch");
}

void patch(const CallPtr& call) {
  if (is_apply_patch(call->request)) return apply_configuration(call);
  auto patch = read_patch(*call);
  if (!patch.ok()) return call->fail(patch.status());
  auto how = [patch = *std::move(patch)](Call& c, const ObjectPtr& current, const json::Value& old) -> Result<json::Value> {
    LOTSE_TRY(json::Value object, apply(patch, *c.resource->type, old));
    if (!object.is_object()) return Status(Reason::kInvalid, "the patch leaves no object");
    const json::Value& metadata = std::as_const(object)["metadata"];
    if (metadata["name"].str() != current->header().name) {
      return Status(Reason::kBadRequest, "the name of an object cannot be changed by a patch");
    }
    // A resourceVersion that the patch brings along is a precondition; the one that was there is just old.
    c.warnings.clear();
    LOTSE_CHECK_OK(check_preconditions(c, metadata, current));
    LOTSE_CHECK_OK(take_object(c, &object, &old, {}));
    track_fields(c, &object, &old);
    return object;
  };
  change(call, call->key(), true, std::move(how), [call](Result<ObjectPtr> r) {
    if (r.ok()) return call->give(200, *r);
    call->fail(r.status());
  });
}

}  // namespace lotse::api
