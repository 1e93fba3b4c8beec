// replicaset: keeps the number of pods of a ReplicaSet. Adopts pods that its selector matches and nobody controls, lets
// go of those that no longer match, makes new ones in growing batches and removes the ones that are missed least.
#pragma once
#include <functional>

#include "core/control/controller.h"
#include "core/control/pods.h"

namespace lotse::control {

class ReplicaSetController : public Controller {
 public:
  // suffix gives the five letters at the end of a pod's name.
  explicit ReplicaSetController(std::function<std::string()> suffix);
  std::string_view name() const override { return "replicaset"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;
  std::vector<Action> failed(const std::string& key, const Action& action, const Status& why, const View& view,
                             WallTime now) override;

 private:
  struct Step;  // one reconcile
  std::function<std::string()> suffix_;
  PodFactsCache facts_;
};

// The ReplicaSets that have no controller of the pod's own and select it.
std::vector<std::string> replicasets_selecting(const Object& pod, const View& view);

}  // namespace lotse::control
