#include <fmt/format.h>

#include <thread>

#include "core/cli/cluster.h"
#include "core/operator/use.h"

namespace lotse::cli {
namespace {

using Readings = std::map<std::string, ops::Reading>;

// Twice, each node at its own time: what counts is the time between its two answers.
Result<Readings> read(Cluster& cluster, const std::vector<ObjectPtr>& nodes, Duration window) {
  Readings out;
  std::map<std::string, SteadyTime> at;
  for (const auto& node : nodes) {
    const std::string& name = node->header().name;
    auto stats = cluster.stats(name);
    if (!stats.ok() && cluster.exit_code() == kExitNotReachable) return stats.status();
    at[name] = Clock::system().steady();
    if (stats.ok()) out[name].first = *std::move(stats);
    else out[name].problem = stats.status().message;
  }
  std::this_thread::sleep_for(window);  // the measurement itself
  for (auto& [name, reading] : out) {
    if (!reading.problem.empty()) continue;
    auto stats = cluster.stats(name);
    reading.between = Clock::system().steady() - at[name];
    if (stats.ok()) reading.second = *std::move(stats);
    else reading.problem = stats.status().message;
  }
  return out;
}

std::string cpu(const std::optional<int64_t>& milli) { return milli ? fmt::format("{}m", *milli) : "-"; }
std::string mib(const std::optional<int64_t>& bytes) { return bytes ? fmt::format("{}Mi", (*bytes + (1 << 19)) >> 20) : "-"; }
std::string percent(const std::optional<int64_t>& part, const std::optional<int64_t>& whole) {
  return part && whole && *whole > 0 ? fmt::format("{}%", static_cast<int64_t>(100.0 * static_cast<double>(*part) / static_cast<double>(*whole) + 0.5)) : "-";
}

json::Value facts(const std::vector<ops::Use>& list, bool nodes) {
  json::Value out = json::Value::array();
  for (const auto& use : list) {
    json::Value v = json::Value::object({{"name", use.name}});
    if (!nodes) v.set("namespace", use.ns).set("node", use.node);
    if (use.cpu_milli) v.set("cpuMilli", *use.cpu_milli);
    if (use.memory) v.set("memoryBytes", *use.memory);
    if (use.cpu_of) v.set("allocatableCpuMilli", *use.cpu_of);
    if (use.memory_of) v.set("allocatableMemoryBytes", *use.memory_of);
    if (!use.problem.empty()) v.set("problem", use.problem);
    out.push(std::move(v));
  }
  return json::Value::object({{nodes ? "nodes" : "pods", std::move(out)}});
}

std::string text(const std::vector<ops::Use>& list, bool nodes) {
  std::vector<std::vector<std::string>> rows;
  if (nodes) {
    rows = {{"NODE", "CPU", "CPU%", "MEMORY", "MEMORY%"}};
    for (const auto& u : list) rows.push_back({u.name, cpu(u.cpu_milli), percent(u.cpu_milli, u.cpu_of), mib(u.memory), percent(u.memory, u.memory_of)});
  } else {
    rows = {{"NAMESPACE", "POD", "NODE", "CPU", "MEMORY"}};
    for (const auto& u : list) rows.push_back({u.ns, u.name, u.node, cpu(u.cpu_milli), mib(u.memory)});
  }
  return table(rows);
}

}  // namespace

int show_use(Cluster& cluster, bool nodes, const std::string& ns, Duration window, Format format, Streams streams) {
  auto list = cluster.list(kNodes);
  if (!list.ok()) return failed(cluster, list.status(), streams);
  auto readings = read(cluster, *list, window);
  if (!readings.ok()) return failed(cluster, readings.status(), streams);
  const auto use = nodes ? ops::use_of_nodes(*list, *readings) : ops::use_of_pods(*readings, ns);
  streams.out << (format == Format::kText ? text(use, nodes) : write_facts(facts(use, nodes), format));
  int code = kExitOk;
  for (const auto& [node, reading] : *readings) {
    if (reading.problem.empty()) continue;
    streams.err << "lotse: " << node << " does not tell: " << reading.problem << "\n";
    code = kExitFailed;
  }
  return code;
}

}  // namespace lotse::cli
