// The cgroups of pods on v1, hybrid and v2, by the filesystem:
//   ROOT/pod<uid> for guaranteed pods, ROOT/burstable/pod<uid>, ROOT/besteffort/pod<uid>
// The runtime makes the containers' cgroups below the pod's and gets it as cgroup_parent. [worker]
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/pod_spec.h"
#include "core/agent/resources.h"
#include "core/base/result.h"

namespace lotse::agent {

class Cgroups {
 public:
  // `mount`: /sys/fs/cgroup; `root`: "kubepods". Looks which hierarchies there are; nothing is made yet.
  static Result<Cgroups> open(const std::string& mount, const std::string& root);
  // "/kubepods/burstable/pod1234": the runtime's cgroup_parent.
  std::string path_of(Qos qos, const std::string& uid) const;
  // The root and the two classes; the root's limits are the node's allocatable.
  Status set_up(int64_t cpu_m, int64_t memory_bytes) const;
  // What all burstable pods request together: their class stands beside the guaranteed pods, so it weighs what they weigh.
  Status weigh_burstable(int64_t cpu_m) const;
  Status make_pod(Qos qos, const std::string& uid, const Amounts& amounts) const;
  // Kills what is left in it and removes it with all below.
  Status remove_pod(Qos qos, const std::string& uid) const;
  // All of ours, the root included.
  Status remove_all() const;
  // Every uid that has a cgroup.
  std::vector<std::pair<Qos, std::string>> pods() const;
  // v2: what each container's cgroup has beside its limits, by file. An empty map on v1, which has no such things.
  std::map<std::string, std::string> container_files() const;

 private:
  std::string root_, mount_;
  bool unified_ = false;
  std::vector<std::string> hierarchies_;           // directories in which our path is made
  std::string beside_;                             // hybrid: v2 beside v1, where the runtime makes our path and leaves it
  std::map<std::string, std::string> controllers_; // v1: controller -> hierarchy
  Status write(const std::string& controller, const std::string& path, const std::string& file, const std::string& text) const;
  Status make(const std::string& path) const;
  Status remove(const std::string& path) const;
  Status limit(const std::string& path, int64_t shares, int64_t quota_us, int64_t memory) const;
};

}  // namespace lotse::agent
