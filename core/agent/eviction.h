// Who goes when a node runs short of something, and what is said about it. Pure: the agent looks, this decides.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/agent/pod_spec.h"

namespace lotse::agent {

struct EvictionCandidate {
  std::string uid;
  int64_t priority = 0;
  int64_t used = 0, requested = 0;          // of what is short, in bytes
  std::map<std::string, int64_t> by_container;  // used
  std::map<std::string, int64_t> requests;
};

inline constexpr int64_t kCriticalPriority = 2000000000;  // of system pods: they are never chosen

// The order of victims, the first one first: those that use more than they asked for before those that do not, then the
// lower priority, then who uses more above its request. QoS comes of itself: best effort asked for nothing, and a
// guaranteed pod cannot use more than it asked for.
std::vector<EvictionCandidate> eviction_order(std::vector<EvictionCandidate> candidates);

struct Shortage {
  std::string resource;      // "memory", "ephemeral-storage", "inodes"
  int64_t threshold = 0, available = 0;
  bool percent = false;      // the two are shares of the whole; otherwise bytes
};
std::string eviction_message(const Shortage& shortage, const EvictionCandidate& victim);

// Whether a pod may come to a node under pressure: nothing, or what is said of the refusal.
struct NodeConditions { bool memory = false, disk = false, pids = false; };
std::optional<std::string> refused_under_pressure(const json::Value& pod, const NodeConditions& conditions);

}  // namespace lotse::agent
