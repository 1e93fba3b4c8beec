#include "plugins/engine_http/cgroup_stats.h"

#include <unistd.h>

#include <charconv>
#include <sstream>

#include "plugins/container_engine/process_file.h"

namespace lotse::engine_http {
namespace {

using container_engine::read_small_file;

std::optional<int64_t> number_in(const std::string& path) {
  auto text = read_small_file(path);
  if (!text) return std::nullopt;
  int64_t out = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc()) return std::nullopt;
  return out;
}

// "inactive_file 4096\n..."
int64_t field_in(const std::string& path, const std::string& key) {
  auto text = read_small_file(path);
  if (!text) return 0;
  std::istringstream lines(*text);
  std::string name;
  int64_t value = 0;
  while (lines >> name >> value) {
    if (name == key) return value;
  }
  return 0;
}

}  // namespace

std::string cgroup_directory(uint32_t pid, const std::string& controller, const std::string& proc,
                             const std::string& mount) {
  auto text = read_small_file(proc + "/" + std::to_string(pid) + "/cgroup");
  if (!text) return {};
  bool unified = access((mount + "/cgroup.controllers").c_str(), F_OK) == 0;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {  // "4:cpu,cpuacct:/path", "0::/path"
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string names = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (unified && names.empty()) return mount + path;
    if (!unified && ("," + names + ",").find("," + controller + ",") != std::string::npos) {
      return mount + "/" + controller + path;
    }
  }
  return {};
}

std::optional<CgroupStats> cgroup_stats(uint32_t pid, const std::string& proc, const std::string& mount) {
  CgroupStats out;
  std::string memory = cgroup_directory(pid, "memory", proc, mount);
  if (memory.empty()) return std::nullopt;
  if (auto usage = number_in(memory + "/memory.current")) {
    out.memory_bytes = *usage;
    out.rss_bytes = field_in(memory + "/memory.stat", "anon");
    out.working_set_bytes = std::max<int64_t>(0, *usage - field_in(memory + "/memory.stat", "inactive_file"));
    out.cpu_ns = field_in(memory + "/cpu.stat", "usage_usec") * 1000;
    out.pids = number_in(memory + "/pids.current").value_or(0);
    return out;
  }
  auto usage = number_in(memory + "/memory.usage_in_bytes");
  auto cpu = number_in(cgroup_directory(pid, "cpuacct", proc, mount) + "/cpuacct.usage");
  if (!usage || !cpu) return std::nullopt;
  out.cpu_ns = *cpu;
  out.memory_bytes = *usage;
  out.rss_bytes = field_in(memory + "/memory.stat", "total_rss");
  out.working_set_bytes = std::max<int64_t>(0, *usage - field_in(memory + "/memory.stat", "total_inactive_file"));
  out.pids = number_in(cgroup_directory(pid, "pids", proc, mount) + "/pids.current").value_or(0);
  return out;
}

}  // namespace lotse::engine_http
