// SPDX-License-Identifier: Apache-2.0
//
// EvenScore: how evenly pods that belong together lie over zones and nodes. Pods belong together by their owner and, more
// loosely, by the labels that a Service selects them with. Nodes are ranked by, one after the other: pods of the owner in
// the zone, on the node, pods with the same labels in the zone, on the node. Nodes without a zone are one zone.
#pragma once
#include <array>

#include "lotse/scheduling/spread.hpp"

namespace lotse::scheduling {

inline constexpr int64_t kEvenMax = 9999;  // what the nodes of the best rank score

// Labels that controllers add to tell their pods from each other: no Service selects by them.
inline bool distinguishes(const std::string& label) {
  static constexpr std::string_view kNames[] = {"pod-template-hash", "controller-revision-hash", "pod-template-generation",
                                                "controller-uid", "batch.kubernetes.io/controller-uid",
                                                "batch.kubernetes.io/job-completion-index",
                                                "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"};
  return std::find(std::begin(kNames), std::end(kNames), label) != std::end(kNames);
}

class EvenScore {
 public:
  // fit: by slot, non-zero for the nodes to be scored.
  EvenScore(Snapshot& snapshot, const Shape& shape, const std::vector<uint8_t>& fit) : rank_(fit.size()) {
    std::vector<Counts> counts(fit.size());
    if (!shape.owner.empty()) count(snapshot, snapshot.owner_group(shape.owner), 0, &counts);
    PodTerm same{{shape.ns}, {}, true, 0, ""};
    for (const auto& [key, value] : shape.labels)
      if (!distinguishes(key)) same.selector.requirements.push_back({key, LOTSE_OP_IN, false, {value}});
    if (!same.selector.requirements.empty()) count(snapshot, snapshot.group(same, true), 2, &counts);
    std::vector<Counts> ranks;
    for (size_t slot = 0; slot < fit.size(); ++slot)
      if (fit[slot]) ranks.push_back(counts[slot]);
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    for (size_t slot = 0; slot < fit.size(); ++slot)
      if (fit[slot]) rank_[slot] = std::lower_bound(ranks.begin(), ranks.end(), counts[slot]) - ranks.begin();
  }
  int64_t at(size_t slot) const { return std::max<int64_t>(0, kEvenMax - rank_[slot]); }

 private:
  using Counts = std::array<int64_t, 4>;
  static void count(Snapshot& snapshot, const Group& group, size_t at, std::vector<Counts>* counts) {
    const Column& zones = snapshot.column(std::string(kZone));
    auto zone = [&](size_t slot) { return static_cast<size_t>(zones.domain[slot] < 0 ? zones.domains : zones.domain[slot]); };
    std::vector<int64_t> by_zone(static_cast<size_t>(zones.domains) + 1);
    for (size_t slot = 0; slot < counts->size(); ++slot) by_zone[zone(slot)] += group.count[slot];
    for (size_t slot = 0; slot < counts->size(); ++slot) {
      (*counts)[slot][at] = by_zone[zone(slot)];
      (*counts)[slot][at + 1] = group.count[slot];
    }
  }
  std::vector<int64_t> rank_;
};

}  // namespace lotse::scheduling
