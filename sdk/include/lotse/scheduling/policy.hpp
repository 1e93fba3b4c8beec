// SPDX-License-Identifier: Apache-2.0
//
// Policy: a whole scheduler policy, put together from a Profile. A plugin fills in a profile and forwards the calls of
// lotse_scheduler:
//
//   Profile p;
//   p.scores.push_back({1, Normalise::kNone, least_allocated});
//   p.filters.push_back(my_filter);
//   Policy policy(std::move(p));
//
// Deterministic: nodes are looked at in the order of their slots, and only the seed breaks ties.
#pragma once
#include <optional>

#include "lotse/scheduling/even.hpp"
#include "lotse/scheduling/preemption.hpp"

namespace lotse::scheduling {

// What Kubernetes' default scheduler scores with, and how much each counts.
inline Profile default_profile() {
  Profile p;
  p.scores = {{1, Normalise::kNone, least_allocated},
              {1, Normalise::kNone, balanced_allocation},
              {1, Normalise::kNone, image_locality},
              {3, Normalise::kReversed, preferred_taints},
              {2, Normalise::kByMax, preferred_node_affinity}};
  p.claim = "balanced";
  return p;
}

inline constexpr const char* kNodeNameReason = "node(s) didn't match the requested node name";

class Policy {
 public:
  explicit Policy(Profile profile) : profile_(std::move(profile)), verdicts_(profile_) {
    for (const NodeScore& s : profile_.scores)
      if (s.normalise != Normalise::kNone && normalised_.size() < kNormalisedMax)
        normalised_.push_back({s.weight, s.normalise});
  }
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  void node_set(const lotse_sched_node& node) { snapshot_.node_set(node); }
  void node_remove(lotse_bytes name) { snapshot_.node_remove(view(name)); }
  void pod_set(const lotse_sched_pod& pod) { snapshot_.pod_set(pod); }
  void pod_remove(lotse_bytes uid) { snapshot_.pod_remove(view(uid)); }
  void schedule(const lotse_sched_pod* const* pods, size_t count, uint64_t seed, const lotse_sched_answers& answers) {
    verdicts_.forget_if_full();
    for (size_t i = 0; i < count; ++i) schedule_one(*pods[i], i, mix(seed + i), answers);
  }
  const Snapshot& snapshot() const { return snapshot_; }

 private:
  struct Lease {  // of a shape
    Snapshot& snapshot;
    Shape* shape;
    ~Lease() { snapshot.release(shape); }
  };

  static uint64_t mix(uint64_t x) {  // splitmix64
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  void schedule_one(const lotse_sched_pod& in, size_t index, uint64_t seed, const lotse_sched_answers& answers) {
    Lease lease{snapshot_, snapshot_.acquire(in)};
    Shape& shape = *lease.shape;
    // Room that is kept for this pod where it is nominated is its own.
    Pod* reserved = snapshot_.pod(view(in.uid));
    if (reserved) snapshot_.detach(reserved);
    const std::vector<NodeVerdict>& verdicts = verdicts_.of(shape, snapshot_);
    size_t best = filter(in, shape, verdicts) ? choose(shape, verdicts, seed) : SIZE_MAX;
    if (best != SIZE_MAX) {
      if (reserved) snapshot_.attach(reserved);  // pod_set below takes it away in good order
      const std::string& name = snapshot_.nodes()[best].name;
      snapshot_.place(in, name);
      answers.assign(answers.ctx, index, bytes(name));
      return;
    }
    Victims victims = preempt(in, shape, seed);
    answer_refused(index, victims, answers);
    if (reserved) snapshot_.attach(reserved);
  }

  // Fills refused_ and fit_; true if any node is fit.
  bool filter(const lotse_sched_pod& in, Shape& shape, const std::vector<NodeVerdict>& verdicts) {
    const auto& nodes = snapshot_.nodes();
    refused_.assign(nodes.size(), 0);
    fit_.assign(nodes.size(), 0);
    std::string_view wanted = view(in.node);
    SpreadFilter spread(snapshot_, shape, [&](size_t slot) { return verdicts[slot].eligible; });
    AffinityFilter affinity(snapshot_, shape);
    bool any = false;
    for (size_t slot = 0; slot < nodes.size(); ++slot) {
      if (!nodes[slot].present) continue;
      uint32_t refusal = verdicts[slot].refusal;
      if (!wanted.empty() && nodes[slot].name != wanted) refusal = verdicts_.intern({{kNodeNameReason}, false});
      if (refusal == 0 && !spread.empty()) refusal = refuse(spread.check(slot));
      if (refusal == 0 && !affinity.empty()) refusal = refuse(affinity.check(slot));
      refused_[slot] = refusal;
      fit_[slot] = refusal == 0;
      any = any || refusal == 0;
    }
    return any;
  }

  uint32_t refuse(SpreadFilter::Answer a) {
    if (a == SpreadFilter::Answer::kFit) return 0;
    bool label = a == SpreadFilter::Answer::kNoLabel;
    return verdicts_.intern({{label ? kSpreadLabelReason : kSpreadReason}, !label});
  }
  uint32_t refuse(const char* affinity) {
    if (!affinity) return 0;
    return verdicts_.intern({{affinity}, affinity != kAffinityReason});
  }

  size_t choose(Shape& shape, const std::vector<NodeVerdict>& verdicts, uint64_t seed) {
    std::array<int64_t, kNormalisedMax> most{};
    for (size_t slot = 0; slot < fit_.size(); ++slot)
      if (fit_[slot])
        for (size_t n = 0; n < normalised_.size(); ++n) most[n] = std::max<int64_t>(most[n], verdicts[slot].raw[n]);
    std::optional<SpreadScore> spread;
    if (profile_.spread_weight)
      spread.emplace(snapshot_, shape, profile_.owner_spread, fit_,
                     [&](size_t slot) { return verdicts[slot].eligible; });
    std::optional<AffinityScore> affinity;
    if (profile_.affinity_weight) affinity.emplace(snapshot_, shape);
    if (affinity && !affinity->empty()) affinity->compute(fit_);
    std::optional<EvenScore> even;
    if (profile_.even_weight) even.emplace(snapshot_, shape, fit_);
    const bool by_spread = spread && !spread->empty(), by_affinity = affinity && !affinity->empty();

    size_t best = SIZE_MAX;
    int64_t best_score = 0;
    uint64_t ties = 0;
    for (size_t slot = 0; slot < fit_.size(); ++slot) {
      if (!fit_[slot]) continue;
      int64_t score = verdicts[slot].fixed;
      for (size_t n = 0; n < normalised_.size(); ++n)
        score += normalised_[n].weight * normal(verdicts[slot].raw[n], most[n], n);
      if (by_spread) score += profile_.spread_weight * spread->at(slot);
      if (even) score += profile_.even_weight * even->at(slot);
      if (by_affinity) score += profile_.affinity_weight * affinity->at(slot);
      if (best == SIZE_MAX || score > best_score) {
        best = slot, best_score = score, ties = 1;
      } else if (score == best_score) {
        ++ties;
        if (mix(seed ^ ties) % ties == 0) best = slot;
      }
    }
    return best;
  }

  int64_t normal(int64_t raw, int64_t most, size_t n) const {
    bool reversed = normalised_[n].kind == Normalise::kReversed;
    if (most == 0) return reversed ? kScoreMax : 0;
    int64_t score = raw * kScoreMax / most;
    return reversed ? kScoreMax - score : score;
  }

  Victims preempt(const lotse_sched_pod& in, Shape& shape, uint64_t seed) {
    if (!profile_.preemption || shape.never_preempts || waits_for_victims(in)) return {};
    std::vector<size_t> candidates;
    for (size_t slot = 0; slot < refused_.size(); ++slot)
      if (refused_[slot] && verdicts_.refusal(refused_[slot]).resolvable) candidates.push_back(slot);
    return Preemption(snapshot_, in.priority, [&](size_t slot) { return fits(shape, slot); }).best(candidates, seed);
  }

  // It has been nominated, and less important pods are ending there already: nothing more is to be done.
  bool waits_for_victims(const lotse_sched_pod& in) const {
    size_t slot = in.nominated.size ? snapshot_.slot(view(in.nominated)) : SIZE_MAX;
    if (slot == SIZE_MAX) return false;
    if (slot < refused_.size() && refused_[slot] && !verdicts_.refusal(refused_[slot]).resolvable) return false;
    const auto& pods = snapshot_.nodes()[slot].pods;
    return std::any_of(pods.begin(), pods.end(),
                       [&](const Pod* p) { return p->terminating && p->priority < in.priority; });
  }

  // As the snapshot stands, with nothing remembered.
  bool fits(Shape& shape, size_t slot) {
    if (!verdicts_.filter(shape, snapshot_.nodes()[slot], snapshot_).fit()) return false;
    auto eligible = [&](size_t s) {
      const Node& n = snapshot_.nodes()[s];
      return Eligible{matches_node_affinity(shape, n), untolerated_taint(shape, n) == nullptr};
    };
    SpreadFilter spread(snapshot_, shape, eligible);
    if (!spread.empty() && spread.check(slot) != SpreadFilter::Answer::kFit) return false;
    AffinityFilter affinity(snapshot_, shape);
    return affinity.empty() || affinity.check(slot) == nullptr;
  }

  void answer_refused(size_t index, const Victims& victims, const lotse_sched_answers& answers) {
    std::vector<lotse_sched_reason> reasons;
    for (size_t slot = 0; slot < refused_.size(); ++slot) {
      if (!refused_[slot]) continue;
      const Refusal& r = verdicts_.refusal(refused_[slot]);
      for (const std::string& text : r.reasons)
        reasons.push_back({bytes(snapshot_.nodes()[slot].name), bytes(text), r.resolvable ? 1u : 0u, 0});
    }
    if (victims.slot == SIZE_MAX) {
      answers.refuse(answers.ctx, index, reasons.data(), reasons.size());
      return;
    }
    std::vector<lotse_bytes> uids;
    for (const Pod* p : victims.pods) uids.push_back(bytes(p->uid));
    answers.preempt(answers.ctx, index, bytes(snapshot_.nodes()[victims.slot].name), uids.data(), uids.size(),
                    reasons.data(), reasons.size());
  }

  struct Normalised {
    int64_t weight;
    Normalise kind;
  };
  Profile profile_;
  Snapshot snapshot_;
  Verdicts verdicts_;
  std::vector<Normalised> normalised_;
  std::vector<uint32_t> refused_;  // by slot
  std::vector<uint8_t> fit_;
};

}  // namespace lotse::scheduling
