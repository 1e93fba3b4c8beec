#include "core/operator/use.h"

#include "core/object/quantity.h"

namespace lotse::ops {
namespace {

std::optional<int64_t> rate(const json::Value& first, const json::Value& second, Duration between) {
  if (!first.has("usageCoreNanoSeconds") || !second.has("usageCoreNanoSeconds") || between.count() <= 0) return {};
  const int64_t used = second["usageCoreNanoSeconds"].integer() - first["usageCoreNanoSeconds"].integer();
  if (used < 0) return {};  // it has been started anew
  return static_cast<int64_t>(static_cast<double>(used) * 1000 / static_cast<double>(between.count()) + 0.5);
}

std::optional<int64_t> working_set(const json::Value& of) {
  if (!of["memory"].has("workingSetBytes")) return {};
  return of["memory"]["workingSetBytes"].integer();
}

}  // namespace

std::vector<Use> use_of_nodes(const std::vector<ObjectPtr>& nodes, const std::map<std::string, Reading>& readings) {
  std::vector<Use> out;
  for (const auto& node : nodes) {
    Use use;
    use.name = node->header().name;
    const json::Value value = node->value();
    const auto& allocatable = value["status"]["allocatable"];
    if (auto cpu = Quantity::parse(allocatable["cpu"].str()); cpu.ok()) use.cpu_of = cpu->milli();
    if (auto memory = Quantity::parse(allocatable["memory"].str()); memory.ok()) use.memory_of = memory->value();
    if (auto it = readings.find(use.name); it != readings.end()) {
      const Reading& r = it->second;
      use.problem = r.problem;
      use.cpu_milli = rate(r.first["node"]["cpu"], r.second["node"]["cpu"], r.between);
      use.memory = working_set(r.second["node"]);
    }
    out.push_back(std::move(use));
  }
  std::sort(out.begin(), out.end(), [](const Use& a, const Use& b) { return a.name < b.name; });
  return out;
}

std::vector<Use> use_of_pods(const std::map<std::string, Reading>& readings, const std::string& ns) {
  std::vector<Use> out;
  for (const auto& [node, reading] : readings) {
    std::map<std::string_view, const json::Value*> before;
    for (const auto& pod : reading.first["pods"].items()) before[pod["podRef"]["uid"].str()] = &pod;
    for (const auto& pod : reading.second["pods"].items()) {
      Use use;
      use.ns = pod["podRef"]["namespace"].str();
      if (!ns.empty() && use.ns != ns) continue;
      use.name = pod["podRef"]["name"].str();
      use.node = node;
      if (auto it = before.find(pod["podRef"]["uid"].str()); it != before.end()) use.cpu_milli = rate((*it->second)["cpu"], pod["cpu"], reading.between);
      use.memory = working_set(pod);
      out.push_back(std::move(use));
    }
  }
  std::sort(out.begin(), out.end(), [](const Use& a, const Use& b) { return std::tie(b.cpu_milli, b.memory, a.ns, a.name) < std::tie(a.cpu_milli, a.memory, b.ns, b.name); });
  return out;
}

}  // namespace lotse::ops
