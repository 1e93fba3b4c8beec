// SPDX-License-Identifier: Apache-2.0
//
// What the node-local filters and scores of a profile say of one shape on every node, remembered until the node
// changes: a batch of pods of one template looks closely at a node once, and again only at those that got a pod.
#pragma once
#include <array>
#include <map>
#include <memory>

#include "lotse/scheduling/affinity.hpp"

namespace lotse::scheduling {

inline constexpr size_t kShapesRememberedMax = 64;
inline constexpr size_t kNormalisedMax = 4;

// How a policy is put together. Filters run in order; the first that refuses gives the reasons.
struct Profile {
  std::vector<NodeFilter> filters{node_unschedulable, taint_toleration, node_affinity, node_ports, node_resources_fit};
  std::vector<NodeScore> scores;
  int64_t spread_weight = 2;    // 0: not scored
  int64_t affinity_weight = 2;  // 0: not scored
  bool owner_spread = true;     // spread pods without constraints of their own by their owner
  bool preemption = true;
  int64_t even_weight = 0;      // 0: not scored; EvenScore gives 0 to kEvenMax
  const char* claim = nullptr;  // the rule of abi/scheduler_claim.h that the policy can be held to
};

// Whether a filter or score is one of those above, which look at nothing of a pod but what its local fingerprint covers. Of any other
// it must be assumed that it looks at the whole Shape: labels, namespace, owner.
template <class Function, class... Known>
bool is_one_of(const Function& function, Known... known) {
  using Pointer = std::common_type_t<Known...>;
  const Pointer* target = function.template target<Pointer>();
  return target && ((*target == known) || ...);
}
inline bool looks_at_local_facts_only(const Profile& profile) {
  return std::all_of(profile.filters.begin(), profile.filters.end(),
                     [](const NodeFilter& f) {
                       return is_one_of(f, &node_unschedulable, &taint_toleration, &node_affinity, &node_ports, &node_resources_fit);
                     }) &&
         std::all_of(profile.scores.begin(), profile.scores.end(), [](const NodeScore& s) {
           return is_one_of(s.score, &least_allocated, &most_allocated, &balanced_allocation, &image_locality, &preferred_taints,
                            &preferred_node_affinity);
         });
}

struct NodeVerdict {
  uint64_t generation = 0;
  uint32_t refusal = 0;  // 0: fit; else a number of Verdicts::refusal
  Eligible eligible;
  int64_t fixed = 0;  // the weighted sum of scores that need no normalising
  std::array<int32_t, kNormalisedMax> raw{};
};

class Verdicts {
 public:
  explicit Verdicts(const Profile& profile)
      : profile_(profile), local_(looks_at_local_facts_only(profile)), refusals_(1) {}

  // By slot; valid until the next call.
  const std::vector<NodeVerdict>& of(const Shape& shape, const Snapshot& snapshot) {
    auto& known = known_[local_ ? shape.local_fingerprint : shape.fingerprint];
    if (!known) known = std::make_unique<Known>();
    known->last_used = ++uses_;
    if (!shape.images.empty() && known->images_version != snapshot.images_version()) {
      known->verdicts.clear();
      known->images_version = snapshot.images_version();
    }
    known->verdicts.resize(snapshot.nodes().size());
    for (size_t slot = 0; slot < known->verdicts.size(); ++slot) {
      const Node& node = snapshot.nodes()[slot];
      NodeVerdict& v = known->verdicts[slot];
      if (v.generation != node.generation && node.present) v = judge(shape, node, snapshot);
    }
    Known& result = *known;
    if (known_.size() > kShapesRememberedMax) drop_oldest();
    return result.verdicts;
  }

  Refusal filter(const Shape& shape, const Node& node, const Snapshot& snapshot) const {
    for (const NodeFilter& f : profile_.filters)
      if (Refusal r = f(shape, node, snapshot); !r.fit()) return r;
    return {};
  }

  const Refusal& refusal(uint32_t id) const { return refusals_[id]; }
  uint32_t intern(Refusal r) {
    std::string key(1, r.resolvable ? '1' : '0');
    for (const std::string& reason : r.reasons) key += reason + '\0';
    auto [it, made] = ids_.emplace(std::move(key), static_cast<uint32_t>(refusals_.size()));
    if (made) refusals_.push_back(std::move(r));
    return it->second;
  }
  // Reasons contain taints' texts; over the life of a cluster there might be many.
  void forget_if_full() {
    if (refusals_.size() < 4096) return;
    known_.clear(), ids_.clear(), refusals_.resize(1);
  }

 private:
  struct Known {
    std::vector<NodeVerdict> verdicts;
    uint64_t images_version = 0, last_used = 0;
  };

  NodeVerdict judge(const Shape& shape, const Node& node, const Snapshot& snapshot) {
    NodeVerdict v;
    v.generation = node.generation;
    v.eligible = {matches_node_affinity(shape, node), untolerated_taint(shape, node) == nullptr};
    if (Refusal r = filter(shape, node, snapshot); !r.fit()) {
      v.refusal = intern(std::move(r));
      return v;
    }
    size_t normalised = 0;
    for (const NodeScore& s : profile_.scores) {
      int64_t score = s.score(shape, node, snapshot);
      if (s.normalise == Normalise::kNone)
        v.fixed += s.weight * score;
      else if (normalised < kNormalisedMax)
        v.raw[normalised++] = static_cast<int32_t>(score);
    }
    return v;
  }

  void drop_oldest() {
    auto oldest = known_.begin();
    for (auto it = known_.begin(); it != known_.end(); ++it)
      if (it->second->last_used < oldest->second->last_used) oldest = it;
    known_.erase(oldest);
  }

  const Profile& profile_;
  const bool local_;  // verdicts are shared by all shapes of one local fingerprint
  std::vector<Refusal> refusals_;
  std::map<std::string, uint32_t> ids_;
  std::unordered_map<std::string, std::unique_ptr<Known>> known_;
  uint64_t uses_ = 0;
};

}  // namespace lotse::scheduling
