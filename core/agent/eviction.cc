#include "core/agent/eviction.h"

#include <fmt/format.h>

namespace lotse::agent {
namespace {

std::string amount(int64_t bytes) {
  return bytes % 1024 == 0 ? std::to_string(bytes / 1024) + "Ki" : std::to_string(bytes);
}

bool tolerates(const json::Value& pod, std::string_view key) {
  for (const auto& t : pod["spec"]["tolerations"].items()) {
    auto effect = t["effect"].str();
    if (!effect.empty() && effect != "NoSchedule") continue;
    if (t["key"].str().empty() ? t["operator"].str() == "Exists" : t["key"].str() == key) return true;
  }
  return false;
}

}  // namespace

std::vector<EvictionCandidate> eviction_order(std::vector<EvictionCandidate> candidates) {
  std::erase_if(candidates, [](const EvictionCandidate& c) { return c.priority >= kCriticalPriority; });
  std::stable_sort(candidates.begin(), candidates.end(), [](const EvictionCandidate& a, const EvictionCandidate& b) {
    int64_t over_a = a.used - a.requested, over_b = b.used - b.requested;
    return std::make_tuple(over_a <= 0, a.priority, -over_a) < std::make_tuple(over_b <= 0, b.priority, -over_b);
  });
  return candidates;
}

std::string eviction_message(const Shortage& shortage, const EvictionCandidate& victim) {
  auto show = [&](int64_t n) { return shortage.percent ? std::to_string(n) + "%" : amount(n); };
  auto text = fmt::format("The node was low on resource: {}. Threshold quantity: {}, available: {}. ",
                          shortage.resource, show(shortage.threshold), show(shortage.available));
  for (const auto& [name, used] : victim.by_container) {
    auto request = victim.requests.find(name);
    int64_t asked = request == victim.requests.end() ? 0 : request->second;
    if (used <= asked) continue;
    text += fmt::format("Container {} was using {}, request is {}, has larger consumption of {}. ", name, amount(used),
                        asked == 0 ? "0" : amount(asked), shortage.resource);
  }
  return text;
}

std::optional<std::string> refused_under_pressure(const json::Value& pod, const NodeConditions& c) {
  if ((!c.memory && !c.disk && !c.pids) || pod["spec"]["priority"].integer() >= kCriticalPriority) return std::nullopt;
  if (c.memory && !c.disk && !c.pids) {
    if (qos_of(pod) != Qos::kBestEffort || tolerates(pod, "node.kubernetes.io/memory-pressure")) return std::nullopt;
  }
  std::string list;
  auto add = [&](bool on, const char* name) {
    if (on) list += (list.empty() ? "" : " ") + std::string(name);
  };
  add(c.memory, "MemoryPressure");
  add(c.disk, "DiskPressure");
  add(c.pids, "PIDPressure");
  return "The node had condition: [" + list + "]. ";
}

}  // namespace lotse::agent
