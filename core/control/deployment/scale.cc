// Scaling: of one set, and of all in proportion when the Deployment is scaled in the middle of a rollout.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/control/deployment/rollout.h"

namespace lotse::control::deployment {

int64_t share_of(const json::Value& v, int64_t total, bool up) {
  if (!v.is_string()) return v.integer();
  std::string_view text = v.str();
  int64_t percent = 0;
  std::from_chars(text.data(), text.data() + text.size(), percent);
  return up ? (percent * total + 99) / 100 : percent * total / 100;
}

Limits limits(const json::Value& d) {
  if (d["spec"]["strategy"]["type"].str("RollingUpdate") != "RollingUpdate") return {};
  const json::Value& rolling = d["spec"]["strategy"]["rollingUpdate"];
  const int64_t replicas = d["spec"]["replicas"].integer(1);
  const json::Value quarter("25%");
  Limits out{share_of(rolling["maxSurge"].is_null() ? quarter : rolling["maxSurge"], replicas, true),
             share_of(rolling["maxUnavailable"].is_null() ? quarter : rolling["maxUnavailable"], replicas, false)};
  if (out.surge == 0 && out.unavailable == 0) out.unavailable = 1;
  out.unavailable = std::min(out.unavailable, replicas);
  return out;
}

int64_t Rollout::wanted_total() const {
  int64_t sum = 0;
  for (const auto& s : sets_) sum += s->wanted();
  return sum;
}

int64_t Rollout::status_total(const char* field) const {
  int64_t sum = 0;
  for (const auto& s : sets_) sum += s->status(field);
  return sum;
}

// Whether spec.replicas differs from what the sets were last scaled for.
bool Rollout::is_scaling() const {
  for (const auto& s : sets_) {
    if (s->wanted() == 0) continue;
    std::string_view text = s->value["metadata"]["annotations"][kDesiredReplicas].str();
    int64_t desired = 0;
    if (text.empty() || std::from_chars(text.data(), text.data() + text.size(), desired).ec != std::errc()) continue;
    if (desired != want()) return true;
  }
  return false;
}

bool Rollout::scale(Set* set, int64_t to) {
  const int64_t from = set->wanted();
  const json::Value before = set->value;
  set->value["spec"].set("replicas", to);
  set_annotated_replicas(set);
  if (set->value == before) return false;
  out_.actions.push_back(update(kReplicaSets, set->value));
  if (from != to)
    out_.actions.push_back(event(deployment_, "Normal", "ScalingReplicaSet",
                                 std::string(to > from ? "Scaled up" : "Scaled down") + " replica set " + set->name() +
                                     " from " + std::to_string(from) + " to " + std::to_string(to)));
  return from != to;
}

void Rollout::scale_proportionally() {
  std::vector<Set*> active;
  for (const auto& s : sets_)
    if (s->wanted() > 0) active.push_back(s.get());
  // One active set, or none but the newest: that one follows spec.replicas.
  if (active.size() <= 1) {
    Set* one = active.empty() ? new_set_ : active[0];
    if (active.empty() && !one && !sets_.empty()) one = sets_.back().get();
    if (one && one->wanted() == want()) return;
    if (one) scale(one, want());
    return;
  }
  // The new set is full: what is left of the old ones goes.
  if (new_set_ && new_set_->wanted() == want() && new_set_->status("availableReplicas") == want() &&
      std::as_const(new_set_->value)["spec"]["replicas"].integer() == want()) {
    for (Set* s : old_sets(true)) scale(s, 0);
    return;
  }
  if (!rolling()) return;
  const int64_t all = wanted_total();
  const int64_t allowed = want() > 0 ? want() + limits(v_).surge : 0;
  const int64_t to_add = allowed - all;
  // The greatest first; of equal ones the newest when growing and the oldest when shrinking.
  std::stable_sort(active.begin(), active.end(), [&](const Set* a, const Set* b) {
    if (a->wanted() != b->wanted()) return a->wanted() > b->wanted();
    auto order = [](const Set* x, const Set* y) { return x->object->header().created < y->object->header().created; };
    return to_add > 0 ? order(b, a) : order(a, b);
  });
  std::vector<int64_t> goal;
  int64_t added = 0;
  for (const Set* s : active) {
    int64_t share = 0;
    if (to_add != 0) {
      std::string_view text = s->value["metadata"]["annotations"][kMaxReplicas].str();
      int64_t max = 0;
      std::from_chars(text.data(), text.data() + text.size(), max);
      if (max == 0) max = std::as_const(v_)["status"]["replicas"].integer();
      double fresh = max == 0 ? 0 : static_cast<double>(s->wanted() * allowed) / static_cast<double>(max);
      share = static_cast<int64_t>(std::round(fresh)) - s->wanted();
      const int64_t left = to_add - added;
      share = to_add > 0 ? std::min(share, left) : std::max(share, left);
      if (to_add > 0 && left <= 0) share = 0;
    }
    goal.push_back(s->wanted() + share);
    added += share;
  }
  for (size_t i = 0; i < active.size(); ++i) {
    int64_t to = goal[i];
    if (i == 0) to = std::max<int64_t>(0, to + (to_add - added));
    scale(active[i], to);
  }
}

}  // namespace lotse::control::deployment
