// RollingUpdate and Recreate.
#include <algorithm>

#include "core/control/conditions.h"
#include "core/control/deployment/rollout.h"

namespace lotse::control::deployment {

Rollout::Rollout(ObjectPtr deployment, const View& view, WallTime now)
    : deployment_(std::move(deployment)),
      view_(view),
      now_(now),
      v_(deployment_->value()),
      original_status_(std::as_const(v_)["status"]) {}

Outcome Rollout::run() {
  auto selector = LabelSelector::from_value(std::as_const(v_)["spec"]["selector"]);
  if (!selector.ok() || selector->empty()) {
    out_.actions.push_back(event(deployment_, "Warning", "SelectingAll",
                                 "This deployment is selecting all pods. A non-empty selector is required."));
    return std::move(out_);
  }
  claim();
  // What is adopted may be the very set that would be made: first that, then the rest.
  if (!out_.actions.empty()) return std::move(out_);
  find_new_set();
  if (deployment_->header().deletion != WallTime{}) {
    sync_rollout_status();
    return std::move(out_);
  }
  pause_condition();
  if (paused() || is_scaling()) {
    if (sync_new_set(false)) return std::move(out_);
    scale_proportionally();
    if (paused()) clean_up();
    write_status();
    return std::move(out_);
  }
  if (rolling() ? roll() : recreate()) return std::move(out_);
  sync_rollout_status();
  return std::move(out_);
}

// How many replicas the new set is to have now.
int64_t Rollout::new_set_replicas() const {
  if (!rolling()) return want();
  const int64_t have = new_set_ ? new_set_->wanted() : 0, room = want() + limits(v_).surge - wanted_total();
  if (room <= 0) return have;
  return have + std::min(room, want() - have);
}

bool Rollout::roll() {
  if (sync_new_set(true)) return true;
  if (!grow_new()) shrink_old();
  clean_up_if_complete();
  return false;
}

bool Rollout::grow_new() {
  if (new_set_->wanted() == want()) return false;
  if (new_set_->wanted() > want()) return scale(new_set_, want());
  const int64_t to = new_set_replicas();
  return to != new_set_->wanted() && scale(new_set_, to);
}

bool Rollout::shrink_old() {
  std::vector<Set*> old = old_sets(true);
  if (old.empty()) return false;
  const int64_t min_available = want() - limits(v_).unavailable;
  const int64_t new_missing = new_set_->wanted() - new_set_->status("availableReplicas");
  const int64_t max = wanted_total() - min_available - new_missing;
  if (max <= 0) return false;
  const int64_t unhealthy = shrink_unhealthy(max);
  const int64_t healthy = shrink_healthy();
  return unhealthy + healthy > 0;
}

// Pods that are not available anyway go first, of the oldest sets first.
int64_t Rollout::shrink_unhealthy(int64_t max) {
  int64_t gone = 0;
  for (Set* s : old_sets(true)) {
    if (gone >= max) break;
    if (s->wanted() == s->status("availableReplicas")) continue;
    const int64_t n = std::min(max - gone, s->wanted() - s->status("availableReplicas"));
    if (n <= 0) continue;
    scale(s, s->wanted() - n);
    gone += n;
  }
  return gone;
}

int64_t Rollout::shrink_healthy() {
  const int64_t min_available = want() - limits(v_).unavailable;
  const int64_t spare = status_total("availableReplicas") - min_available;
  int64_t gone = 0;
  for (Set* s : old_sets(true)) {
    if (gone >= spare) break;
    const int64_t n = std::min(spare - gone, s->wanted());
    scale(s, s->wanted() - n);
    gone += n;
  }
  return gone;
}

bool Rollout::recreate() {
  bool shrunk = false;
  for (Set* s : old_sets(true)) shrunk = scale(s, 0) || shrunk;
  if (shrunk) {
    sync_rollout_status();
    return true;
  }
  // A pod that is ending still runs: the new ones wait for it.
  for (const Set* s : old_sets(false))
    for (const ObjectPtr& pod : view_.owned_by(s->object->header().uid, kPods.name())) {
      const json::Value p = pod->value();
      if (p["status"]["phase"].str() != "Succeeded" && p["status"]["phase"].str() != "Failed") {
        sync_rollout_status();
        return true;
      }
    }
  if (sync_new_set(true)) return true;
  if (new_set_->wanted() != want()) scale(new_set_, want());
  clean_up_if_complete();
  return false;
}

}  // namespace lotse::control::deployment
