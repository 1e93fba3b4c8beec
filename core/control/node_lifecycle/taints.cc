#include <algorithm>
#include <array>

#include "core/control/conditions.h"
#include "core/control/node_lifecycle/node_lifecycle.h"

namespace lotse::control {
namespace {
struct ConditionTaint {
  std::string_view condition, status, key;
};
constexpr ConditionTaint kTaints[] = {
    {"Ready", "False", "node.kubernetes.io/not-ready"},
    {"Ready", "Unknown", "node.kubernetes.io/unreachable"},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
};
constexpr std::string_view kUnschedulable = "node.kubernetes.io/unschedulable";

bool ours(const json::Value& taint) {
  const std::string_view key = taint["key"].str(), effect = taint["effect"].str();
  if (effect == "NoExecute") return key == kTaints[0].key || key == kTaints[1].key;
  if (effect != "NoSchedule") return false;
  return key == kUnschedulable ||
         std::any_of(std::begin(kTaints), std::end(kTaints), [&](auto& t) { return t.key == key; });
}
}  // namespace

std::vector<json::Value> taints_for(const json::Value& node, bool evict, WallTime now) {
  std::vector<json::Value> out;
  for (const json::Value& t : node["spec"]["taints"].items())
    if (!ours(t)) out.push_back(t);
  // A taint that stays keeps the time it was put on.
  auto add = [&](std::string_view key, std::string_view effect) {
    for (const json::Value& t : node["spec"]["taints"].items())
      if (t["key"].str() == key && t["effect"].str() == effect) return out.push_back(t);
    out.push_back(json::Value::object({{"key", key}, {"effect", effect}, {"timeAdded", format_time(now)}}));
  };
  for (const ConditionTaint& t : kTaints) {
    const json::Value* c = find_condition(node["status"], t.condition);
    if (!c || (*c)["status"].str() != t.status) continue;
    add(t.key, "NoSchedule");
    if (t.condition == "Ready" && evict) add(t.key, "NoExecute");
  }
  if (node["spec"]["unschedulable"].boolean()) add(kUnschedulable, "NoSchedule");
  return out;
}

}  // namespace lotse::control
