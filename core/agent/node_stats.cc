#include "core/agent/node_stats.h"

#include <unistd.h>

#include <fstream>

namespace lotse::agent {
namespace {

json::Value cpu(int64_t total_ns, const std::string& time) {
  return json::Value::object({{"time", time}, {"usageCoreNanoSeconds", total_ns}});
}

json::Value memory(int64_t working, int64_t usage, int64_t rss, const std::string& time) {
  auto v = json::Value::object({{"time", time}, {"workingSetBytes", working}});
  if (usage > 0) v.set("usageBytes", usage);
  if (rss > 0) v.set("rssBytes", rss);
  return v;
}

// What all processors have worked since the machine has started; 0: not known.
int64_t node_cpu_ns() {
  std::ifstream in("/proc/stat");
  std::string name;
  int64_t user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0;
  if (!(in >> name >> user >> nice >> system >> idle >> wait >> irq >> soft)) return 0;
  return (user + nice + system + irq + soft) * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

}  // namespace

json::Value stats_summary(const Config& config, const NodeFacts& facts, const std::vector<const PodWorker*>& pods, const MsgValue& stats, WallTime now) {
  std::map<std::string, const MsgValue*> by_id;
  for (const auto& item : stats["items"].items()) by_id[std::string(item["id"].as_text())] = &item;
  auto time = format_time(now);
  auto list = json::Value::array();
  for (const auto* pod : pods) {
    const auto& s = pod->state();
    auto containers = json::Value::array();
    int64_t cpu_ns = 0, working = 0, usage = 0, rss = 0;
    for (size_t i = 0; i < s.containers.size(); ++i) {
      auto it = by_id.find(s.containers[i].id);
      if (it == by_id.end()) continue;
      const auto& m = *it->second;
      cpu_ns += m["cpu_ns"].as_int();
      working += m["memory_bytes"].as_int();
      usage += m["memory_usage_bytes"].as_int();
      rss += m["rss_bytes"].as_int();
      auto c = json::Value::object({{"name", s.spec->containers[i].name}, {"startTime", format_time(s.containers[i].started)},
                                    {"cpu", cpu(m["cpu_ns"].as_int(), time)},
                                    {"memory", memory(m["memory_bytes"].as_int(), m["memory_usage_bytes"].as_int(), m["rss_bytes"].as_int(), time)}});
      c.set("rootfs", json::Value::object({{"time", time}, {"usedBytes", m["disk_bytes"].as_int()}}));
      containers.push(std::move(c));
    }
    list.push(json::Value::object({{"podRef", json::Value::object({{"name", s.spec->name}, {"namespace", s.spec->ns}, {"uid", s.spec->uid}})},
                                   {"startTime", format_time(s.start_time)}, {"containers", std::move(containers)},
                                   {"cpu", cpu(cpu_ns, time)}, {"memory", memory(working, usage, rss, time)}}));
  }
  auto pressure = read_node_pressure(config.data_dir);
  auto node = json::Value::object({{"nodeName", config.node_name}});
  if (const int64_t used = node_cpu_ns()) node.set("cpu", cpu(used, time));
  node.set("memory", json::Value::object({{"time", time}, {"availableBytes", pressure.memory_available},
                                          {"usageBytes", facts.memory_bytes - pressure.memory_available},
                                          {"workingSetBytes", facts.memory_bytes - pressure.memory_available}}));
  node.set("fs", json::Value::object({{"time", time}, {"capacityBytes", facts.disk_bytes},
                                      {"availableBytes", facts.disk_bytes / 100 * pressure.disk_available_percent}}));
  return json::Value::object({{"node", std::move(node)}, {"pods", std::move(list)}});
}

}  // namespace lotse::agent
