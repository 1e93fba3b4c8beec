// What follows from pressure: the node's conditions, and pods that have to go, one at a time; and pods that keep more
// on the disk than they may.
#include "core/agent/agent_impl.h"
#include "core/agent/eviction.h"
#include "core/agent/resources.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30);
constexpr int kPidsFreeLeast = 5;

std::optional<Shortage> shortage_of(const Config::Pressure& limits, const NodePressure& p, bool disk_too) {
  if (limits.memory_available_bytes > 0 && p.memory_available < limits.memory_available_bytes) {
    return Shortage{"memory", limits.memory_available_bytes, p.memory_available, false};
  }
  if (!disk_too) return std::nullopt;
  if (p.disk_available_percent < limits.disk_available_percent) {
    return Shortage{"ephemeral-storage", limits.disk_available_percent, p.disk_available_percent, true};
  }
  if (p.inodes_free_percent < limits.inodes_free_percent) {
    return Shortage{"inodes", limits.inodes_free_percent, p.inodes_free_percent, true};
  }
  return std::nullopt;
}

}  // namespace

// A condition stays for a while after the pressure has gone, or pods would come and go in circles.
void Agent::Impl::set_conditions(bool memory, bool disk, bool pids) {
  auto now = loop.clock().steady();
  if (memory) memory_pressure_since = now;
  if (disk) disk_pressure_since = now;
  auto lasting = [&](bool on, bool was, SteadyTime since) {
    return on || (was && now - since < config.pressure.transition_period);
  };
  auto before = std::make_tuple(node_state.memory_pressure, node_state.disk_pressure, node_state.pid_pressure);
  node_state.memory_pressure = lasting(memory, node_state.memory_pressure, memory_pressure_since);
  node_state.disk_pressure = lasting(disk, node_state.disk_pressure, disk_pressure_since);
  node_state.pid_pressure = pids;
  auto after = std::make_tuple(node_state.memory_pressure, node_state.disk_pressure, node_state.pid_pressure);
  if (before != after && node) node->changed();
}

// On a full disk what nobody uses goes first, and then it is looked once more before a pod has to go.
void Agent::Impl::check_pressure(const std::shared_ptr<CareRound>& round) {
  const auto& p = round->pressure;
  auto short_of = shortage_of(config.pressure, p, true);
  bool memory = short_of && short_of->resource == "memory";
  bool disk =
      memory ? shortage_of({0, config.pressure.disk_available_percent, config.pressure.inodes_free_percent}, p, true)
                   .has_value()
             : short_of.has_value();
  set_conditions(memory, disk, p.pids_free_percent < kPidsFreeLeast);
  if (disk && !std::exchange(reclaimed, true)) {
    collect_images(true);
    if (!memory) short_of.reset();
  }
  reclaimed = disk;
  bool limited =
      std::any_of(pods.begin(), pods.end(), [](const auto& p) { return p.second->state().spec->limits_storage; });
  if (!short_of && !limited) return;
  call_on(loop, runtime, Call::kContainerStats, MsgValue::map(), kShort,
          [weak = weak_from_this(), round, short_of](Result<MsgValue> answer) {
            auto self = weak.lock();
            if (!self || self->stopped || !answer.ok()) return;
            std::map<std::string, const MsgValue*> stats;  // by container id
            for (const auto& item : (*answer)["items"].items()) stats[std::string(item["id"].as_text())] = &item;
            self->enforce_storage_limits(*round, stats);
            if (short_of) self->evict_one(*short_of, *round, stats);
          });
}

void Agent::Impl::evict(PodWorker& pod, const std::string& message) {
  log::warn("agent.evict", message, {{"pod", pod.object()->header().name}, {"namespace", pod.object()->header().ns}});
  pod.evict("Evicted", message, 1);
}

void Agent::Impl::enforce_storage_limits(CareRound& round, const std::map<std::string, const MsgValue*>& stats) {
  for (auto& [uid, use] : round.storage) {
    auto it = pods.find(uid);
    if (it == pods.end() || it->second->state().stop) continue;
    auto pod = it->second;
    const auto& s = pod->state();
    for (size_t i = 0; i < s.containers.size(); ++i) {
      auto stat = stats.find(s.containers[i].id);
      if (stat != stats.end()) use.written[s.spec->containers[i].name] = (*stat->second)["disk_bytes"].as_int();
    }
    if (!s.spec->limits_storage) continue;
    if (auto why = storage_excess(storage_limits(pod->object()->value()), use)) evict(*pod, *why);
  }
}

// None while another is still going: what it gives back must be seen first.
void Agent::Impl::evict_one(const Shortage& shortage, const CareRound& round,
                            const std::map<std::string, const MsgValue*>& stats) {
  bool memory = shortage.resource == "memory";
  std::vector<EvictionCandidate> candidates;
  for (const auto& [uid, pod] : pods) {
    const auto& s = pod->state();
    if (s.stop && s.stop->why == Stop::Why::kEvicted && s.cleanup != PodState::Cleanup::kDone) return;
    if (s.stop || !s.any_running()) continue;
    const json::Value doc = pod->object()->value();
    EvictionCandidate c{uid, doc["spec"]["priority"].integer(), 0, 0, {}, {}};
    if (memory) c.requested = pod_amounts(doc).memory_request;
    for (size_t i = 0; i < s.containers.size(); ++i) {
      auto stat = stats.find(s.containers[i].id);
      if (stat == stats.end()) continue;
      const auto& name = s.spec->containers[i].name;
      auto used = (*stat->second)[memory ? "memory_bytes" : "disk_bytes"].as_int();
      c.by_container[name] = used;
      if (memory) c.requests[name] = container_amounts(find_container(doc, name)).memory_request;
      c.used += used;
    }
    // What its containers wrote is in the measure already.
    if (auto use = round.storage.find(uid); !memory && use != round.storage.end()) c.used = use->second.total();
    candidates.push_back(std::move(c));
  }
  candidates = eviction_order(std::move(candidates));
  if (candidates.empty()) return;
  evict(*pods.at(candidates.front().uid), eviction_message(shortage, candidates.front()));
}

}  // namespace lotse::agent
