// What a process's cgroup has used, by either version's files.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace lotse::engine_http {

struct CgroupStats {
  int64_t cpu_ns = 0, memory_bytes = 0, working_set_bytes = 0, rss_bytes = 0, pids = 0;
};

// Nothing where the process is gone.
std::optional<CgroupStats> cgroup_stats(uint32_t pid, const std::string& proc = "/proc",
                                        const std::string& mount = "/sys/fs/cgroup");

// The directory of a process's cgroup. controller: "memory", "cpu", ...; with version 2 it is the same for all.
std::string cgroup_directory(uint32_t pid, const std::string& controller, const std::string& proc = "/proc",
                             const std::string& mount = "/sys/fs/cgroup");

}  // namespace lotse::engine_http
