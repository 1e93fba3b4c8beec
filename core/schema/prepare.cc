#include "core/schema/qos.h"
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

using json::Value;

// Kinds whose generation counts changes of the named parts; the status never counts.
std::vector<std::string_view> generation_parts(std::string_view kind) {
  if (kind == "Pod" || kind == "Deployment" || kind == "ReplicaSet" || kind == "PodDisruptionBudget") return {"spec"};
  if (kind == "EndpointSlice") return {"addressType", "endpoints", "ports"};
  if (kind == "PodTemplate") return {"template"};
  if (kind == "PriorityClass") return {"value", "globalDefault", "preemptionPolicy", "description"};
  return {};
}

Value first_status(const ResourceInfo& r, const Value& object) {
  if (r.kind == "Pod") return Value::object({{"phase", "Pending"}, {"qosClass", qos_class(object)}});
  if (r.kind == "Namespace") return Value::object({{"phase", "Active"}});
  if (r.kind == "Service") return Value::object({{"loadBalancer", Value::object()}});
  if (r.kind == "ReplicaSet") return Value::object({{"replicas", 0}});
  if (r.kind == "PodDisruptionBudget") {
    return Value::object(
        {{"currentHealthy", 0}, {"desiredHealthy", 0}, {"disruptionsAllowed", 0}, {"expectedPods", 0}});
  }
  return Value::object();
}

void copy_member(Value* to, const Value& from, std::string_view key) {
  if (const Value* v = from.find(key))
    to->set(key, *v);
  else
    to->erase(key);
}

// What a client may leave out of metadata, or may not change.
void keep_metadata(Value* object, const Value& old) {
  Value& now = (*object)["metadata"];
  const Value& before = old["metadata"];
  for (std::string_view key : {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    if (std::as_const(now)[key].is_null()) copy_member(&now, before, key);
  }
  copy_member(&now, before, "generation");
  copy_member(&now, before, "selfLink");
}

void keep_parts_of_status_update(const ResourceInfo& r, Value* object, const Value& old) {
  Value next = old;
  Value metadata = std::as_const(*object)["metadata"];
  copy_member(&next, *object, "status");
  if (r.kind == "Pod") copy_member(&metadata, old["metadata"], "ownerReferences");
  if (r.kind == "Deployment") copy_member(&metadata, old["metadata"], "labels");
  copy_member(&metadata, old["metadata"], "deletionTimestamp");
  next.set("metadata", std::move(metadata));
  copy_member(&next, *object, "apiVersion");
  copy_member(&next, *object, "kind");
  *object = std::move(next);
}

// Of the resize subresource only resources and resize policies count, of ephemeralcontainers only that list.
void keep_parts_of_pod(Operation operation, Value* object, const Value& old) {
  Value next = old;
  const Value given = std::as_const(*object)["spec"];
  if (operation == Operation::kEphemeralContainers) {
    copy_member(&next["spec"], given, "ephemeralContainers");
  } else {
    if (given.has("resources")) copy_member(&next["spec"], given, "resources");
    for (std::string_view list : {"containers", "initContainers"}) {
      for (const Value& c : given[list].items()) {
        if (!next["spec"].has(list)) continue;
        for (Value& mine : next["spec"][list].array_items()) {
          if (!(std::as_const(mine)["name"] == c["name"])) continue;
          copy_member(&mine, c, "resources");
          copy_member(&mine, c, "resizePolicy");
        }
      }
    }
  }
  for (std::string_view key : {"resourceVersion", "managedFields"}) copy_member(&next["metadata"], std::as_const(*object)["metadata"], key);
  *object = std::move(next);
}

void prepare_create(const ResourceInfo& r, Value* object) {
  // A node keeps the status that it registers with.
  if (r.has_status() && r.kind != "Node") object->set("status", first_status(r, *object));
  if (!generation_parts(r.kind).empty())
    (*object)["metadata"].set("generation", 1);
  else
    (*object)["metadata"].erase("generation");
  if (r.kind != "Namespace") return;
  Value& finalizers = (*object)["spec"]["finalizers"];
  for (const Value& f : finalizers.items()) {
    if (f.str() == "kubernetes") return;
  }
  finalizers.push("kubernetes");
}

void prepare_update(const ResourceInfo& r, Value* object, const Value& old) {
  if (r.has_status()) copy_member(object, old, "status");
  if (r.kind == "Namespace") copy_member(&(*object)["spec"], old["spec"], "finalizers");
}

void count_generation(const ResourceInfo& r, Value* object, const Value& old) {
  bool changed = false;
  for (std::string_view key : generation_parts(r.kind)) changed |= !(std::as_const(*object)[key] == old[key]);
  // Annotations of a Deployment are copied to its ReplicaSets, so they count.
  if (r.kind == "Deployment")
    changed |= !(std::as_const(*object)["metadata"]["annotations"] == old["metadata"]["annotations"]);
  if (changed) (*object)["metadata"].set("generation", old["metadata"]["generation"].integer() + 1);
}

}  // namespace

void prepare(const ResourceInfo& resource, Value* object, const Value* old, Operation operation) {
  if (operation == Operation::kCreate || !old) return prepare_create(resource, object);
  if (operation == Operation::kUpdateStatus) keep_parts_of_status_update(resource, object, *old);
  if (operation == Operation::kResize || operation == Operation::kEphemeralContainers)
    keep_parts_of_pod(operation, object, *old);
  keep_metadata(object, *old);
  if (operation == Operation::kUpdate) prepare_update(resource, object, *old);
  if (operation != Operation::kUpdateStatus) count_generation(resource, object, *old);
}

}  // namespace lotse::schema
