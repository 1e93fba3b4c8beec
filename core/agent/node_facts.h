// What this machine is and has, from /proc, /sys and /etc. [worker]
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace lotse::agent {

struct NodeFacts {
  int64_t cpus = 1, memory_bytes = 0, disk_bytes = 0;
  std::string machine_id, system_uuid, boot_id, kernel, os_image, arch;
};
NodeFacts read_node_facts(const std::string& data_dir);

struct NodePressure {
  int64_t memory_available = 0;
  int disk_available_percent = 100, inodes_free_percent = 100;
  int pids_free_percent = 100;
};
NodePressure read_node_pressure(const std::string& data_dir);
int disk_used_percent(const std::string& path);

// "cpu", "memory", "ephemeral-storage", "pods" as quantities; overrides replace, `reserved` is taken off.
std::map<std::string, std::string> node_capacity(const NodeFacts& facts, int pods_max,
                                                 const std::map<std::string, std::string>& overrides);
std::map<std::string, std::string> node_allocatable(std::map<std::string, std::string> capacity,
                                                    const std::map<std::string, std::string>& reserved);
std::string go_arch(const std::string& machine);  // "amd64" for x86_64

}  // namespace lotse::agent
