// SPDX-License-Identifier: Apache-2.0
//
// InterPodAffinity: what a pod wants near it or far from it, and what the pods that are there want of it.
#pragma once
#include "lotse/scheduling/spread.hpp"

namespace lotse::scheduling {

inline constexpr const char* kAffinityReason = "node(s) didn't match pod affinity rules";
inline constexpr const char* kAntiAffinityReason = "node(s) didn't match pod anti-affinity rules";
inline constexpr const char* kExistingAntiAffinityReason = "node(s) didn't satisfy existing pods anti-affinity rules";

// Counts by slot, summed up by the value of a topology key.
struct DomainCount {
  const Column* column;
  std::vector<int64_t> count;
  int64_t total = 0;
  DomainCount(const Column& c, const std::vector<int32_t>& by_slot)
      : column(&c), count(static_cast<size_t>(c.domains)) {
    for (size_t slot = 0; slot < by_slot.size() && slot < c.domain.size(); ++slot) {
      if (by_slot[slot] == 0 || c.domain[slot] < 0) continue;
      count[static_cast<size_t>(c.domain[slot])] += by_slot[slot];
      total += by_slot[slot];
    }
  }
  bool has_label(size_t slot) const { return column->domain[slot] >= 0; }
  int64_t at(size_t slot) const { return has_label(slot) ? count[static_cast<size_t>(column->domain[slot])] : 0; }
};

class AffinityFilter {
 public:
  AffinityFilter(Snapshot& snapshot, Shape& shape) {
    bool self = true;
    int64_t matching = 0;
    for (const PodTerm& t : shape.affinity) {
      if (t.weight != 0) continue;
      self = self && t.matches(shape.ns, shape.labels);
      near_.emplace_back(snapshot.column(t.topology_key), snapshot.group(t, false).count);
      matching += near_.back().total;
    }
    // The first pod of a group that wants to be near itself may go anywhere.
    first_ = self && matching == 0;
    for (const PodTerm& t : shape.anti_affinity)
      if (t.weight == 0) far_.emplace_back(snapshot.column(t.topology_key), snapshot.group(t, false).count);
    for (const Carried* c : snapshot.concerns(&shape))
      if (c->anti && c->term.weight == 0) repelled_.emplace_back(snapshot.column(c->term.topology_key), c->count);
  }
  bool empty() const { return near_.empty() && far_.empty() && repelled_.empty(); }

  // nullptr: fit.
  const char* check(size_t slot) const {
    for (const DomainCount& d : near_)
      if (!d.has_label(slot) || (!first_ && d.at(slot) == 0)) return kAffinityReason;
    for (const DomainCount& d : far_)
      if (d.at(slot) > 0) return kAntiAffinityReason;
    for (const DomainCount& d : repelled_)
      if (d.at(slot) > 0) return kExistingAntiAffinityReason;
    return nullptr;
  }

 private:
  std::vector<DomainCount> near_, far_, repelled_;
  bool first_ = false;
};

class AffinityScore {
 public:
  AffinityScore(Snapshot& snapshot, Shape& shape) {
    for (const PodTerm& t : shape.affinity) own(snapshot, t, t.weight);
    for (const PodTerm& t : shape.anti_affinity) own(snapshot, t, -t.weight);
    for (const Carried* c : snapshot.concerns(&shape)) {
      // A required affinity of others counts like a preferred one of weight 1 (upstream's hardPodAffinityWeight).
      int64_t weight = c->anti ? -c->term.weight : (c->term.weight == 0 ? 1 : c->term.weight);
      if (weight != 0) parts_.push_back({weight, DomainCount(snapshot.column(c->term.topology_key), c->count)});
    }
  }
  bool empty() const { return parts_.empty(); }
  void compute(const std::vector<uint8_t>& fit) {
    raw_.assign(fit.size(), 0);
    bool any = false;
    for (size_t slot = 0; slot < fit.size(); ++slot) {
      if (!fit[slot]) continue;
      for (const auto& [weight, count] : parts_) raw_[slot] += weight * count.at(slot);
      min_ = any ? std::min(min_, raw_[slot]) : raw_[slot];
      max_ = any ? std::max(max_, raw_[slot]) : raw_[slot];
      any = true;
    }
  }
  int64_t at(size_t slot) const { return max_ == min_ ? 0 : kScoreMax * (raw_[slot] - min_) / (max_ - min_); }

 private:
  void own(Snapshot& snapshot, const PodTerm& t, int64_t weight) {
    if (weight != 0)
      parts_.push_back({weight, DomainCount(snapshot.column(t.topology_key), snapshot.group(t, false).count)});
  }
  std::vector<std::pair<int64_t, DomainCount>> parts_;
  std::vector<int64_t> raw_;
  int64_t min_ = 0, max_ = 0;
};

}  // namespace lotse::scheduling
