// deployment: a ReplicaSet for each version of the pod template, and pods moved from the old ones to the new one.
#pragma once
#include "core/control/controller.h"
#include "core/control/pods.h"

namespace lotse::control {

class DeploymentController : public Controller {
 public:
  std::string_view name() const override { return "deployment"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;
  std::vector<Action> failed(const std::string& key, const Action& action, const Status& why, const View& view,
                             WallTime now) override;
};

}  // namespace lotse::control
