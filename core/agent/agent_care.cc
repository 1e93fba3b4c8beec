// What an agent looks at from time to time: pressure on memory, disk and process ids; logs that grew; images nobody uses.
// One timer for all of it.
#include "core/agent/agent_impl.h"
#include "core/agent/log_files.h"
#include "core/agent/resources.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30);

}  // namespace

void Agent::Impl::care() {
  if (std::exchange(caring, true)) return;
  auto pressure = std::make_shared<NodePressure>();
  on_pool(loop, pool, [pressure, dir = config.data_dir] { *pressure = read_node_pressure(dir); }, [weak = weak_from_this(), pressure] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    self->caring = false;
    self->check_pressure(*pressure);
    self->rotate();
    self->care_timer = self->loop.after(self->config.pressure.check_period, [weak] {
      auto again = weak.lock();
      if (again && !again->stopped) again->care();
    });
  });
  if (!gc_timer) collect_images(false);
}

void Agent::Impl::check_pressure(const NodePressure& p) {
  const auto& limits = config.pressure;
  auto now = loop.clock().steady();
  bool memory = limits.memory_available_bytes > 0 && p.memory_available < limits.memory_available_bytes;
  bool disk = p.disk_available_percent < limits.disk_available_percent || p.inodes_free_percent < limits.inodes_free_percent;
  bool pids = p.pids_free_percent < 5;
  if (memory) memory_pressure_since = now;
  if (disk) disk_pressure_since = now;
  // A condition stays for a while after the pressure has gone, or pods would come and go in circles.
  auto lasting = [&](bool on, bool was, SteadyTime since) { return on || (was && now - since < limits.transition_period); };
  auto before = std::make_tuple(node_state.memory_pressure, node_state.disk_pressure, node_state.pid_pressure);
  node_state.memory_pressure = lasting(memory, node_state.memory_pressure, memory_pressure_since);
  node_state.disk_pressure = lasting(disk, node_state.disk_pressure, disk_pressure_since);
  node_state.pid_pressure = pids;
  if (before != std::make_tuple(node_state.memory_pressure, node_state.disk_pressure, node_state.pid_pressure) && node) node->changed();
  if (disk) collect_images(true);
  if (memory) evict_one("memory", "The node was low on resource: memory.");
  else if (disk) evict_one("ephemeral-storage", "The node was low on resource: ephemeral-storage.");
}

// One pod at a time, and none while another is still going: first those that use more than they asked for, then by
// priority, then by how much more they use.
void Agent::Impl::evict_one(const std::string& resource, const std::string& message) {
  for (const auto& [uid, pod] : pods) {
    const auto& s = pod->state();
    if (s.stop && s.stop->why == Stop::Why::kEvicted && s.cleanup != PodState::Cleanup::kDone) return;
  }
  runtime.call(Call::kContainerStats, MsgValue::map(), kShort, [weak = weak_from_this(), resource, message, &loop = loop](Result<MsgValue> answer) {
    loop.post([weak, resource, message, answer = std::move(answer)] {
      auto self = weak.lock();
      if (!self || self->stopped || !answer.ok()) return;
      std::map<std::string, int64_t> used;  // by sandbox
      for (const auto& item : (*answer)["items"].items()) {
        used[std::string(item["sandbox"].as_text())] += item[resource == "memory" ? "memory_bytes" : "disk_bytes"].as_int();
      }
      std::shared_ptr<PodWorker> worst;
      std::tuple<bool, int64_t, int64_t> worst_rank;
      for (const auto& [uid, pod] : self->pods) {
        const auto& s = pod->state();
        if (s.stop || !s.any_running()) continue;
        const json::Value doc = pod->object()->value();
        auto priority = doc["spec"]["priority"].integer();
        if (priority >= 2000000000) continue;  // system-critical
        int64_t over = used[s.sandbox_id] - (resource == "memory" ? pod_amounts(doc).memory_request : 0);
        auto rank = std::make_tuple(over > 0, -priority, over);
        if (!worst || rank > worst_rank) {
          worst = pod;
          worst_rank = rank;
        }
      }
      if (!worst) return;
      log::warn("agent.evict", message, {{"pod", worst->object()->header().name}, {"resource", resource}});
      worst->evict("Evicted", message, 1);
    });
  });
}

void Agent::Impl::collect_images(bool urgent) {
  auto used = disk_used_percent(config.data_dir);
  const auto& limits = config.images;
  if (used >= limits.gc_high_percent || urgent) {
    images.collect(used, limits.gc_low_percent, [weak = weak_from_this()](int removed) {
      auto self = weak.lock();
      if (self && !self->stopped && removed > 0) self->refresh_images();
    });
  }
  gc_timer = loop.after(limits.gc_period, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    self->collect_images(false);
    self->refresh_images();
  });
}

void Agent::Impl::refresh_images() {
  images.list([weak = weak_from_this()](std::vector<MsgValue> list) {
    auto self = weak.lock();
    if (!self || self->stopped || list == self->node_state.images) return;
    self->node_state.images = std::move(list);
    if (self->node) self->node->changed();
  });
}

void Agent::Impl::rotate() {
  std::vector<std::pair<std::string, PodDirs>> all;
  for (const auto& [uid, pod] : pods) {
    if (pod->state().any_running()) all.emplace_back(uid, pod->dirs());
  }
  if (all.empty()) return;
  struct Todo { std::string uid; Rotated what; };
  auto todo = std::make_shared<std::vector<Todo>>();
  on_pool(loop, pool, [all = std::move(all), todo, logs = config.logs, now = loop.clock().now()] {
    for (const auto& [uid, dirs] : all) {
      for (auto& r : rotate_logs(dirs, logs.file_bytes_max, logs.files_max, now)) todo->push_back({uid, r});
    }
  }, [weak = weak_from_this(), todo] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    for (const auto& t : *todo) {
      auto it = self->pods.find(t.uid);
      if (it == self->pods.end()) continue;
      auto id = it->second->container_id(t.what.container, true);
      if (id.ok()) self->runtime.call(Call::kContainerReopenLog, MsgValue::map({{"id", *id}}), kShort, [](Result<MsgValue>) {});
    }
  });
}

}  // namespace lotse::agent
