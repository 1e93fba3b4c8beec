// What a pod keeps on the node's own disk, and how much it may: emptyDir volumes, logs, and what its containers wrote
// into their own files.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "core/agent/pod_dirs.h"
#include "core/object/json.h"

namespace lotse::agent {

struct StorageLimits {
  std::map<std::string, std::string> volumes, containers;  // quantities as written, by name
  bool any() const { return !volumes.empty() || !containers.empty(); }
};
StorageLimits storage_limits(const json::Value& pod);

struct StorageUse {
  std::map<std::string, int64_t> volumes, logs, written;  // bytes; volumes by name, the others by container
  int64_t total() const;
};
// Volumes and logs; what containers wrote is the runtime's to know. [worker]
StorageUse measure_storage(const json::Value& pod, const PodDirs& dirs);

// What is too much, in the words of its eviction. Pure.
std::optional<std::string> storage_excess(const StorageLimits& limits, const StorageUse& use);

// What a directory's files take on its disk; other file systems that are mounted in it do not count. [worker]
int64_t disk_usage(const std::string& dir);

}  // namespace lotse::agent
