// clusterrole-aggregation: a ClusterRole with an aggregationRule holds the rules of all roles that its selectors match.
#pragma once
#include "core/control/controller.h"

namespace lotse::control {

class ClusterRoleAggregationController : public Controller {
 public:
  std::string_view name() const override { return "clusterrole-aggregation"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;
};

}  // namespace lotse::control
