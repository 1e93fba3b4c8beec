// What all pods of one agent share.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/cgroups.h"
#include "core/agent/environment.h"
#include "core/agent/events.h"
#include "core/agent/handler_runner.h"
#include "core/agent/images.h"
#include "core/agent/reference_cache.h"
#include "core/agent/runtime_events.h"
#include "core/agent/sandbox_config.h"

namespace lotse::agent {

struct PodContext {
  const Config& config;
  api::Client& client;
  Runtime& runtime;
  Loop& loop;
  WorkerPool& pool;
  Images& images;
  EventRecorder& events;
  ReferenceCache& references;
  HandlerRunner& handlers;
  RuntimeEvents& runtime_events;
  std::optional<Cgroups> cgroups{};                // none: left alone
  std::optional<std::vector<ServiceLink>> services{}; // none: not read yet
  std::map<std::string, std::string> allocatable{};
  std::string runtime_name = "containerd";
  int64_t node_memory = 0;
  bool network_ok = true;
  std::function<void(const std::string& uid)> finished{};  // nothing is left of the pod
  std::function<void(const std::string& uid)> moved{};     // something about the pod is different
  std::map<std::string, std::string> cgroup_files{};       // cgroups' container_files()
};

// [loop] Does blocking work on the pool and comes back to the loop; waits for room in the pool's queue, never drops.
void on_pool(PodContext& context, std::function<void()> work, std::function<void()> then);
void on_pool(Loop& loop, WorkerPool& pool, std::function<void()> work, std::function<void()> then);

}  // namespace lotse::agent
