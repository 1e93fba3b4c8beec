// SPDX-License-Identifier: Apache-2.0
//
// Scores that look at one node alone, 0 to 100 after normalising, as Kubernetes' scheduler plugins give them.
#pragma once
#include <cmath>
#include <functional>

#include "lotse/scheduling/filters.hpp"

namespace lotse::scheduling {

inline constexpr int64_t kScoreMax = 100;

enum class Normalise : uint8_t {
  kNone,      // the score is 0 to 100 already
  kByMax,     // the greatest of the fit nodes becomes 100
  kReversed,  // the greatest becomes 0, none becomes 100
};

struct NodeScore {
  int64_t weight = 1;
  Normalise normalise = Normalise::kNone;
  std::function<int64_t(const Shape&, const Node&, const Snapshot&)> score;
};

// The mean over cpu and memory of what is left, in hundredths; with `most`, of what is taken.
inline int64_t resources_score(const Shape& shape, const Node& node, bool most) {
  int64_t sum = 0, counted = 0;
  auto add = [&](int64_t capacity, int64_t taken) {
    if (capacity <= 0) return;
    ++counted;
    if (taken > capacity) return;
    sum += (most ? taken : capacity - taken) * kScoreMax / capacity;
  };
  add(node.allocatable_of(kCpu), node.scored_cpu + shape.scored_cpu);
  add(node.allocatable_of(kMemory), node.scored_memory + shape.scored_memory);
  return counted ? sum / counted : 0;
}
inline int64_t least_allocated(const Shape& s, const Node& n, const Snapshot&) {
  return resources_score(s, n, false);
}
inline int64_t most_allocated(const Shape& s, const Node& n, const Snapshot&) {
  return resources_score(s, n, true);
}

// Nodes whose cpu and memory would be used to a like degree score high.
inline int64_t balanced_allocation(const Shape& shape, const Node& node, const Snapshot&) {
  int64_t cpu = 0, memory = 0;
  for (const Amount& a : shape.requests) {
    if (a.resource == kCpu) cpu = a.amount;
    if (a.resource == kMemory) memory = a.amount;
  }
  auto share = [](int64_t taken, int64_t capacity) {
    return capacity <= 0 ? 1.0 : std::min(1.0, static_cast<double>(taken) / static_cast<double>(capacity));
  };
  double c = share(node.requested_of(kCpu) + cpu, node.allocatable_of(kCpu));
  double m = share(node.requested_of(kMemory) + memory, node.allocatable_of(kMemory));
  return static_cast<int64_t>((1.0 - std::abs(c - m) / 2) * kScoreMax);
}

inline int64_t preferred_taints(const Shape& shape, const Node& node, const Snapshot&) {
  return std::count_if(node.taints.begin(), node.taints.end(), [&](const Taint& t) {
    return t.effect == LOTSE_PREFER_NO_SCHEDULE && !tolerates(shape.tolerations, t);
  });
}

inline int64_t preferred_node_affinity(const Shape& shape, const Node& node, const Snapshot&) {
  int64_t sum = 0;
  for (const NodeTerm& t : shape.node_preferred)
    if (t.selector.requirements.empty() || matches_node(t.selector, node)) sum += t.weight;
  return sum;
}

// Images that are there already count by their size, weakened where few nodes have them, so that not all pods of a
// new image pile up on one node.
inline int64_t image_locality(const Shape& shape, const Node& node, const Snapshot& snapshot) {
  if (node.images.empty() || shape.images.empty() || snapshot.node_count() == 0) return 0;
  constexpr int64_t kMin = 23 * 1024 * 1024, kMaxPerContainer = 1000 * int64_t{1024 * 1024};
  int64_t sum = 0;
  for (const std::string& name : shape.images) {
    auto it =
        std::lower_bound(node.images.begin(), node.images.end(), name, [](auto& i, auto& n) { return i.first < n; });
    if (it == node.images.end() || it->first != name) continue;
    double spread = static_cast<double>(snapshot.image_nodes(name)) / static_cast<double>(snapshot.node_count());
    sum += static_cast<int64_t>(static_cast<double>(it->second) * spread);
  }
  const int64_t max = kMaxPerContainer * static_cast<int64_t>(shape.images.size());
  return kScoreMax * (std::clamp(sum, kMin, max) - kMin) / (max - kMin);
}

}  // namespace lotse::scheduling
