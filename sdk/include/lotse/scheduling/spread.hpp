// SPDX-License-Identifier: Apache-2.0
//
// PodTopologySpread: how evenly pods that belong together lie over the values of a topology key. Pods without
// constraints of their own that have an owner are spread by that owner over hostnames and zones, as upstream's system
// defaults do. Made anew for each pod, from counts that the snapshot keeps up to date.
#pragma once
#include <cmath>
#include <limits>

#include "lotse/scheduling/scores.hpp"

namespace lotse::scheduling {

inline constexpr std::string_view kHostname = "kubernetes.io/hostname", kZone = "topology.kubernetes.io/zone";
inline constexpr const char* kSpreadReason = "node(s) didn't match pod topology spread constraints";
inline constexpr const char* kSpreadLabelReason =
    "node(s) didn't match pod topology spread constraints (missing required label)";

// Which nodes a constraint counts: by node affinity and taints of the pod.
struct Eligible {
  bool affinity = true, taints = true;
  bool counts(bool honor_affinity, bool honor_taints) const {
    return (affinity || !honor_affinity) && (taints || !honor_taints);
  }
};

class SpreadFilter {
 public:
  template <class EligibleAt>  // Eligible(slot)
  SpreadFilter(Snapshot& snapshot, const Shape& shape, EligibleAt eligible) {
    for (const SpreadConstraint& c : shape.spread) {
      if (!c.required) continue;
      Part& part = parts_.emplace_back();
      part.constraint = &c;
      part.column = &snapshot.column(c.topology_key);
      part.self = c.selector_set && c.selector.matches(shape.labels);
    }
    for (Part& part : parts_) count(snapshot, shape, &part, eligible);
  }
  bool empty() const { return parts_.empty(); }

  enum class Answer : uint8_t { kFit, kSkewed, kNoLabel };
  Answer check(size_t slot) const {
    for (const Part& part : parts_) {
      int32_t domain = part.column->domain[slot];
      if (domain < 0) return Answer::kNoLabel;
      int64_t have = part.count[static_cast<size_t>(domain)] + (part.self ? 1 : 0);
      if (have - part.least > part.constraint->max_skew) return Answer::kSkewed;
    }
    return Answer::kFit;
  }

 private:
  struct Part {
    const SpreadConstraint* constraint = nullptr;
    const Column* column = nullptr;
    bool self = false;
    std::vector<int64_t> count;
    int64_t least = 0;
  };
  template <class EligibleAt>
  void count(Snapshot& snapshot, const Shape& shape, Part* part, EligibleAt& eligible) {
    const SpreadConstraint& c = *part->constraint;
    const Group& group = snapshot.group({{shape.ns}, c.selector, c.selector_set, 0, ""}, true);
    std::vector<bool> seen(static_cast<size_t>(part->column->domains));
    part->count.assign(seen.size(), 0);
    for (size_t slot = 0; slot < snapshot.nodes().size(); ++slot) {
      if (!snapshot.nodes()[slot].present || !eligible(slot).counts(c.honor_affinity, c.honor_taints)) continue;
      // A node counts only if it has the keys of all constraints.
      if (std::any_of(parts_.begin(), parts_.end(), [&](const Part& p) { return p.column->domain[slot] < 0; }))
        continue;
      size_t domain = static_cast<size_t>(part->column->domain[slot]);
      seen[domain] = true;
      part->count[domain] += group.count[slot];
    }
    int64_t least = std::numeric_limits<int64_t>::max(), domains = 0;
    for (size_t d = 0; d < seen.size(); ++d)
      if (seen[d]) least = std::min(least, part->count[d]), ++domains;
    part->least = domains == 0 || domains < c.min_domains ? 0 : least;
  }
  std::vector<Part> parts_;
};

class SpreadScore {
 public:
  // fit: by slot, non-zero for the nodes to be scored.
  template <class EligibleAt>
  SpreadScore(Snapshot& snapshot, const Shape& shape, bool by_owner, const std::vector<uint8_t>& fit,
              EligibleAt eligible) {
    for (const SpreadConstraint& c : shape.spread)
      if (!c.required)
        add(snapshot, c.topology_key, c.max_skew, snapshot.group({{shape.ns}, c.selector, c.selector_set, 0, ""}, true),
            c.honor_affinity, c.honor_taints);
    all_keys_ = true;
    if (shape.spread.empty() && by_owner && !shape.owner.empty()) {
      const Group& group = snapshot.owner_group(shape.owner);
      add(snapshot, std::string(kHostname), 3, group, true, false);
      add(snapshot, std::string(kZone), 5, group, true, false);
      all_keys_ = false;  // a cluster without zones is still spread over its nodes
    }
    if (!parts_.empty()) compute(snapshot, fit, eligible);
  }
  bool empty() const { return parts_.empty(); }
  int64_t at(size_t slot) const {
    if (raw_[slot] < 0) return 0;
    return max_ == 0 ? kScoreMax : kScoreMax * (max_ + min_ - raw_[slot]) / max_;
  }

 private:
  struct Part {
    const Column* column;
    const Group* group;
    int32_t max_skew;
    bool hostname, honor_affinity, honor_taints;
    std::vector<int64_t> count;
    std::vector<bool> seen;
    double weight = 0;
  };
  void add(Snapshot& snapshot, const std::string& key, int32_t max_skew, const Group& group, bool affinity,
           bool taints) {
    parts_.push_back({&snapshot.column(key), &group, max_skew, key == kHostname, affinity, taints, {}, {}, 0});
  }
  bool ignored(size_t slot) const {
    return all_keys_ &&
           std::any_of(parts_.begin(), parts_.end(), [&](const Part& p) { return p.column->domain[slot] < 0; });
  }

  template <class EligibleAt>
  void compute(const Snapshot& snapshot, const std::vector<uint8_t>& fit, EligibleAt& eligible) {
    const size_t slots = snapshot.nodes().size();
    raw_.assign(slots, -1);
    std::vector<size_t> scored;
    for (size_t slot = 0; slot < slots; ++slot)
      if (fit[slot] && !ignored(slot)) scored.push_back(slot);
    for (Part& p : parts_) sum(snapshot, scored, eligible, &p);
    std::vector<double> sums(scored.size(), 0);
    for (const Part& p : parts_)
      for (size_t i = 0; i < scored.size(); ++i) {
        int32_t domain = p.column->domain[scored[i]];
        if (domain < 0) continue;
        int64_t count = p.hostname ? p.group->count[scored[i]] : p.count[static_cast<size_t>(domain)];
        sums[i] += static_cast<double>(count) * p.weight + (p.max_skew - 1);
      }
    min_ = std::numeric_limits<int64_t>::max(), max_ = 0;
    for (size_t i = 0; i < scored.size(); ++i) {
      int64_t score = static_cast<int64_t>(sums[i] + 0.5);
      raw_[scored[i]] = score;
      min_ = std::min(min_, score), max_ = std::max(max_, score);
    }
  }

  template <class EligibleAt>
  void sum(const Snapshot& snapshot, const std::vector<size_t>& scored, EligibleAt& eligible, Part* p) {
    size_t domains = scored.size();
    if (!p->hostname) {
      p->seen.assign(static_cast<size_t>(p->column->domains), false);
      p->count.assign(p->seen.size(), 0);
      domains = 0;
      for (size_t slot : scored) {
        int32_t d = p->column->domain[slot];
        if (d >= 0 && !p->seen[static_cast<size_t>(d)]) p->seen[static_cast<size_t>(d)] = true, ++domains;
      }
      if (domains > 0)
        for (size_t slot = 0; slot < snapshot.nodes().size(); ++slot) {
          int32_t d = p->column->domain[slot];
          if (d < 0 || !p->seen[static_cast<size_t>(d)] || ignored(slot)) continue;
          if (eligible(slot).counts(p->honor_affinity, p->honor_taints))
            p->count[static_cast<size_t>(d)] += p->group->count[slot];
        }
    }
    p->weight = std::log(static_cast<double>(domains + 2));
  }

  std::vector<Part> parts_;
  std::vector<int64_t> raw_;
  int64_t min_ = 0, max_ = 0;
  bool all_keys_ = true;
};

}  // namespace lotse::scheduling
