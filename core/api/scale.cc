// autoscaling/v1 Scale: the number of replicas of whatever has spec.replicas, seen and set alone.
#include "core/api/apply.h"
#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/managed_fields.h"
#include "core/api/patch.h"
#include "core/api/server_impl.h"
#include "core/api/update_rules.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

json::Value scale_of(const ObjectPtr& object) {
  const json::Value v = object->value();
  json::Value metadata = json::Value::object();
  for (const std::string_view field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (v["metadata"].has(field)) metadata.set(field, v["metadata"][field]);
  }
  json::Value status = json::Value::object({{"replicas", v["status"]["replicas"].integer()}});
  const auto selector = LabelSelector::from_value(v["spec"]["selector"]);
  if (selector.ok()) status.set("selector", selector->text());
  return json::Value::object({{"apiVersion", "autoscaling/v1"},
                              {"kind", "Scale"},
                              {"metadata", std::move(metadata)},
                              {"spec", json::Value::object({{"replicas", v["spec"]["replicas"].integer()}})},
                              {"status", std::move(status)}});
}

Result<int64_t> replicas_of(const json::Value& scale, std::string_view name) {
  const json::Value& n = scale["spec"]["replicas"];
  const auto bad = [&](std::string_view reason, const std::string& message) {
    return Status::invalid("autoscaling", "Scale", name, {{"spec.replicas", std::string(reason), message}});
  };
  if (n.is_null()) return int64_t{0};
  if (!n.is_integer()) return bad("FieldValueTypeInvalid", "Invalid value: must be an integer");
  if (n.integer() < 0) return bad("FieldValueInvalid", "Invalid value: " + std::to_string(n.integer()) + ": must be greater than or equal to 0");
  return n.integer();
}

void set_scale(const CallPtr& call, std::function<Result<json::Value>(const json::Value&)> how, bool retry) {
  auto set = [how](Call& c, const ObjectPtr& current, const json::Value& old) -> Result<json::Value> {
    LOTSE_TRY(const json::Value wanted, how(scale_of(current)));
    LOTSE_CHECK_OK(check_preconditions(c, wanted["metadata"], current));
    LOTSE_TRY(const int64_t replicas, replicas_of(wanted, current->header().name));
    json::Value object = old;
    object["spec"].set("replicas", replicas);
    track_fields(c, &object, &old);
    return object;
  };
  change(call, call->key(), retry, std::move(set), [call](Result<ObjectPtr> r) {
    if (!r.ok()) return call->fail(r.status());
    call->give(200, scale_of(*r));
  });
}

// The number is a field of the object itself, whoever applies it.
void apply_scale(const CallPtr& call) {
  static const schema::ResourceInfo& kind = *schema::find_kind("autoscaling/v1", "Scale");
  auto applied = read_applied(*call, kind.api_version(), kind.kind, *kind.type);
  if (!applied.ok()) return call->fail(applied.status());
  const auto replicas = replicas_of(*applied, call->request.name);
  if (!replicas.ok()) return call->fail(replicas.status());
  json::Value part = json::Value::object();
  if (std::as_const(*applied)["spec"].has("replicas")) part["spec"].set("replicas", *replicas);
  auto how = [part, metadata = std::as_const(*applied)["metadata"]](Call& c, const ObjectPtr& current, const json::Value& old) -> Result<json::Value> {
    LOTSE_CHECK_OK(check_preconditions(c, metadata, current));
    LOTSE_TRY(json::Value object, apply_fields(c, part, &old));
    LOTSE_CHECK_OK(take_object(c, &object, &old, {}));
    keep_times_of_no_change(&object, old);
    return object;
  };
  change(call, call->key(), true, std::move(how), [call](Result<ObjectPtr> r) {
    if (!r.ok()) return call->fail(r.status());
    call->give(200, scale_of(*r));
  });
}

}  // namespace

void scale(const CallPtr& call) {
  if (call->request.verb == Verb::kGet) {
    const auto found = call->server.store().get(call->key());
    return found.ok() ? call->give(200, scale_of(*found)) : call->fail(found.status());
  }
  if (call->request.verb == Verb::kUpdate) {
    auto body = read_body(*call, "Scale");
    if (!body.ok()) return call->fail(body.status());
    const bool retry = std::as_const(*body)["metadata"]["resourceVersion"].str().empty();
    return set_scale(call, [body = *body](const json::Value&) -> Result<json::Value> { return body; }, retry);
  }
  if (is_apply_patch(call->request)) return apply_scale(call);
  auto patch = read_patch(*call);
  if (!patch.ok()) return call->fail(patch.status());
  if (patch->kind == Patch::Kind::kStrategic) patch->kind = Patch::Kind::kMerge;  // Scale has no lists: both mean the same
  set_scale(call, [patch = *patch](const json::Value& scale) {
    static const schema::TypeInfo none{};
    return apply(patch, none, scale);
  }, true);
}

}  // namespace lotse::api
