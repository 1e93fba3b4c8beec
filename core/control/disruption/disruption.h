// disruption: how many pods of a PodDisruptionBudget may be evicted now.
#pragma once
#include "core/control/controller.h"
#include "core/control/pods.h"

namespace lotse::control {

class DisruptionController : public Controller {
 public:
  std::string_view name() const override { return "disruption"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  PodFactsCache facts_;
};

}  // namespace lotse::control
