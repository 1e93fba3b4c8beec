// SPDX-License-Identifier: Apache-2.0
//
// Preemption: on which node must the fewest and least important pods go so that this one fits. The rules and their
// order are those of Kubernetes' DefaultPreemption.
#pragma once
#include <functional>
#include <limits>

#include "lotse/scheduling/verdicts.hpp"

namespace lotse::scheduling {

struct Victims {
  size_t slot = SIZE_MAX;
  std::vector<Pod*> pods;   // most important first
  int64_t disruptions = 0;  // how many of them break a PodDisruptionBudget
};

class Preemption {
 public:
  // fits(slot): would the pod fit on that node as the snapshot stands now.
  Preemption(Snapshot& snapshot, int32_t priority, std::function<bool(size_t)> fits)
      : snapshot_(snapshot), priority_(priority), fits_(std::move(fits)) {}

  // candidates: slots where removing pods might help. Of many, a tenth (at least 100) is looked at, from a place that
  // the seed decides.
  Victims best(const std::vector<size_t>& candidates, uint64_t seed) {
    Victims best;
    if (candidates.empty()) return best;
    const size_t wanted = std::max<size_t>(candidates.size() / 10, 100);
    size_t found = 0, start = seed % candidates.size();
    for (size_t i = 0; i < candidates.size() && found < wanted; ++i) {
      Victims v = on_node(candidates[(start + i) % candidates.size()]);
      if (v.slot == SIZE_MAX || v.pods.empty()) continue;
      ++found;
      if (best.slot == SIZE_MAX || better(v, best)) best = std::move(v);
    }
    return best;
  }

  static bool more_important(const Pod* a, const Pod* b) {
    if (a->priority != b->priority) return a->priority > b->priority;
    if (a->start_unix_ns != b->start_unix_ns) return a->start_unix_ns < b->start_unix_ns;
    return a->uid < b->uid;
  }

 private:
  // Takes all less important pods away and gives back as many as possible, those under a budget first.
  Victims on_node(size_t slot) {
    std::vector<Pod*> removed;
    for (Pod* p : snapshot_.node(slot).pods)
      if (p->priority < priority_) removed.push_back(p);
    if (removed.empty()) return {};
    const std::vector<Pod*> order = snapshot_.node(slot).pods;
    const uint64_t generation = snapshot_.node(slot).generation;
    for (Pod* p : removed) snapshot_.detach(p);
    Victims out;
    std::vector<Pod*> gone = removed;
    if (fits_(slot)) {
      out.slot = slot;
      std::sort(removed.begin(), removed.end(), [](const Pod* a, const Pod* b) {
        return a->disruption != b->disruption ? a->disruption : more_important(a, b);
      });
      for (Pod* p : removed) {
        snapshot_.attach(p);
        if (fits_(slot)) {
          std::erase(gone, p);
          continue;
        }
        snapshot_.detach(p);
        out.pods.push_back(p);
        out.disruptions += p->disruption ? 1 : 0;
      }
      std::sort(out.pods.begin(), out.pods.end(), more_important);
    }
    for (Pod* p : gone) snapshot_.attach(p);
    snapshot_.node(slot).pods = order;  // as it was: what is remembered of the node still holds
    snapshot_.node(slot).generation = generation;
    return out;
  }

  static bool better(const Victims& a, const Victims& b) {
    if (a.disruptions != b.disruptions) return a.disruptions < b.disruptions;
    if (a.pods[0]->priority != b.pods[0]->priority) return a.pods[0]->priority < b.pods[0]->priority;
    if (int64_t x = priorities(a), y = priorities(b); x != y) return x < y;
    if (a.pods.size() != b.pods.size()) return a.pods.size() < b.pods.size();
    return earliest_start(a) > earliest_start(b);
  }
  static int64_t priorities(const Victims& v) {
    int64_t sum = 0;  // shifted, so that two of negative priority are not better than one
    for (const Pod* p : v.pods) sum += static_cast<int64_t>(p->priority) - std::numeric_limits<int32_t>::min();
    return sum;
  }
  // Of the most important victims.
  static int64_t earliest_start(const Victims& v) {
    int64_t first = std::numeric_limits<int64_t>::max();
    for (const Pod* p : v.pods)
      if (p->priority == v.pods[0]->priority) first = std::min(first, p->start_unix_ns);
    return first;
  }

  Snapshot& snapshot_;
  int32_t priority_;
  std::function<bool(size_t)> fits_;
};

}  // namespace lotse::scheduling
