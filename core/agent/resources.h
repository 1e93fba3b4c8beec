// From Kubernetes' requests and limits to what the kernel understands.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/agent/pod_spec.h"
#include "core/base/msgpack.h"

namespace lotse::agent {

inline constexpr int64_t kSharesLeast = 2, kSharesMost = 262144, kQuotaPeriodUs = 100000, kQuotaLeastUs = 1000;

int64_t cpu_shares(int64_t milli);           // 1 core is 1024
int64_t cpu_quota_us(int64_t milli);         // per 100 ms; 0: no limit
int64_t cpu_weight(int64_t shares);          // cgroup v2's 1..10000
int oom_score_adj(Qos qos, int64_t memory_request, int64_t node_memory, bool critical);

struct Amounts {
  int64_t cpu_request_m = 0, cpu_limit_m = 0, memory_request = 0, memory_limit = 0;  // 0: none
};
Amounts container_amounts(const json::Value& container);
// A pod's: the sum of its main containers and sidecars, or the biggest init container with the sidecars before it, and the
// overhead. A limit is none unless every container has one.
Amounts pod_amounts(const json::Value& pod);

// The `resources` map of the runtime's container_create; `files` are Cgroups::container_files().
MsgValue runtime_resources(const json::Value& container, Qos qos, int64_t node_memory, bool critical,
                           const std::map<std::string, std::string>& files = {});
// "2Mi" of hugepages-2Mi as the kernel spells it: "2MB".
std::string huge_page_size(std::string_view suffix);

}  // namespace lotse::agent
