#include "core/control/clusterrole_aggregation/clusterrole_aggregation.h"

#include <algorithm>

#include "core/control/action.h"

namespace lotse::control {
namespace {

bool aggregates(const ObjectPtr& role) { return role && role->value()["aggregationRule"].is_object(); }

}  // namespace

std::vector<store::ResourceName> ClusterRoleAggregationController::resources() const {
  return {kClusterRoles.name()};
}

// Any role may be part of any other, so a change of one concerns all that gather.
std::vector<std::string> ClusterRoleAggregationController::keys(const store::Event& event, const View& view) {
  std::vector<std::string> out;
  const bool labelled = !event.object->header().labels.empty() || (event.previous && !event.previous->header().labels.empty());
  if (!labelled) return aggregates(event.object) ? std::vector<std::string>{event.key.name} : out;
  for (const ObjectPtr& role : view.list(kClusterRoles.name(), "", {})) {
    if (aggregates(role)) out.push_back(role->header().name);
  }
  return out;
}

Outcome ClusterRoleAggregationController::reconcile(const std::string& key, const View& view, WallTime) {
  const ObjectPtr object = view.get(kClusterRoles.name(), "", key);
  Outcome out;
  if (!aggregates(object) || object->header().deletion != WallTime{}) return out;
  const json::Value role = object->value();
  json::Value rules = json::Value::array();
  for (const auto& s : role["aggregationRule"]["clusterRoleSelectors"].items()) {
    const auto selector = LabelSelector::from_value(s);
    if (!selector.ok()) continue;
    for (const ObjectPtr& part : view.list(kClusterRoles.name(), "", *selector)) {  // by name
      if (part->header().name == key) continue;
      const json::Value v = part->value();
      for (const auto& rule : v["rules"].items()) {
        const auto& have = std::as_const(rules).items();
        if (std::find(have.begin(), have.end(), rule) == have.end()) rules.push(rule);
      }
    }
  }
  if (rules == role["rules"] || (rules.empty() && role["rules"].empty())) return out;
  json::Value patch = json::Value::object({{"metadata", json::Value::object({{"resourceVersion", std::to_string(object->revision())}})}});
  patch.set("rules", std::move(rules));
  out.actions.push_back(merge_patch(kClusterRoles, "", key, std::move(patch)));
  return out;
}

}  // namespace lotse::control
