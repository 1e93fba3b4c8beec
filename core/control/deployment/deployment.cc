#include "core/control/deployment/deployment.h"

#include "core/control/conditions.h"
#include "core/control/deployment/rollout.h"

namespace lotse::control {

std::vector<store::ResourceName> DeploymentController::resources() const {
  return {kDeployments.name(), kReplicaSets.name(), kPods.name()};
}

std::vector<std::string> DeploymentController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kDeployments.name()) return {key_of(event.key)};
  std::vector<std::string> keys;
  auto owner_key = [&](const ObjectPtr& object) {
    const OwnerRef* owner = object ? object->header().controller() : nullptr;
    if (owner && owner->kind == kDeployments.kind) keys.push_back(object->header().ns + "/" + owner->name);
  };
  if (event.key.resource == kPods.name()) {
    // Recreate waits for the last old pod to be gone.
    if (event.type != store::Event::Type::kDeleted) return {};
    const OwnerRef* owner = event.object->header().controller();
    if (owner && owner->kind == kReplicaSets.kind) owner_key(view.get(kReplicaSets.name(), event.key.ns, owner->name));
    return keys;
  }
  owner_key(event.object);
  owner_key(event.previous);
  if (event.type != store::Event::Type::kDeleted && !event.object->header().controller())
    for (const ObjectPtr& d : view.list(kDeployments.name(), event.key.ns, LabelSelector::everything())) {
      auto selector = LabelSelector::from_value(d->value()["spec"]["selector"]);
      if (selector.ok() && !selector->empty() && selector->matches(event.object->header().labels))
        keys.push_back(key_of(*d));
    }
  return keys;
}

Outcome DeploymentController::reconcile(const std::string& key, const View& view, WallTime now) {
  auto [ns, name] = split_key(key);
  ObjectPtr d = view.get(kDeployments.name(), ns, name);
  if (!d) return {};
  return deployment::Rollout(d, view, now).run();
}

std::vector<Action> DeploymentController::failed(const std::string& key, const Action& action, const Status& why,
                                                 const View& view, WallTime now) {
  auto [ns, name] = split_key(key);
  ObjectPtr d = view.get(kDeployments.name(), ns, name);
  if (!d || action.resource != "replicasets" || action.verb != api::Verb::kCreate ||
      why.reason == Reason::kAlreadyExists)
    return {};
  std::string message = "Failed to create new replica set \"" + action.name + "\": " + why.message;
  std::vector<Action> out;
  out.push_back(event(d, "Warning", "ReplicaSetCreateError", message));
  json::Value v = d->value();
  if (!std::as_const(v)["spec"]["progressDeadlineSeconds"].is_null() &&
      set_condition(&v["status"], "Progressing", "False", "ReplicaSetCreateError", message, now, true))
    out.push_back(update(kDeployments, std::move(v), "status"));
  return out;
}

}  // namespace lotse::control
