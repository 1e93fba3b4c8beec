// What to do next for a pod that is not to run any more: main containers first, all at once; then the sidecars in
// reverse order, one after the other; then the sandbox, the volumes, and the object itself.
#include "core/agent/pod_state.h"

namespace lotse::agent {
namespace {

constexpr int64_t kGraceLeast = 1;

// What is left of the pod's grace for those that are stopped late; never nothing.
int64_t grace_left(const PodState& s, int64_t grace, const Now& now) {
  auto used = std::chrono::duration_cast<std::chrono::seconds>(now.steady - s.stop->since).count();
  return std::max(grace - used, kGraceLeast);
}

void kill(PodState& s, size_t index, int64_t grace, Outcome* out) {
  auto& c = s.containers[index];
  if (c.killing && c.kill_grace_s <= grace) return;
  if (!c.killing)
    event(out, static_cast<int>(index), false, "Killing", "Stopping container " + s.spec->containers[index].name);
  c.killing = true;
  c.kill_grace_s = grace;
  Action a{Action::Kind::kKill};
  a.container = static_cast<int>(index);
  a.number = grace;
  out->actions.push_back(std::move(a));
}

bool can_be_killed(const ContainerState& c) {
  return c.running() || (c.phase == ContainerState::Phase::kStarting && c.reason == "PostStart");
}

// True once no container runs or is about to.
bool stop_containers(PodState& s, const Now& now, Outcome* out) {
  bool waiting = false;
  for (size_t i = 0; i < s.containers.size(); ++i) {
    if (s.spec->containers[i].role == Role::kSidecar) continue;
    auto& c = s.containers[i];
    if (c.phase == ContainerState::Phase::kImage)
      c.phase = c.end ? ContainerState::Phase::kExited : ContainerState::Phase::kWaiting;
    if (can_be_killed(c)) kill(s, i, s.stop->grace_s, out);
    waiting = waiting || c.running() || c.busy();
  }
  if (waiting) return false;
  for (size_t i = s.containers.size(); i-- > 0;) {
    if (s.spec->containers[i].role != Role::kSidecar) continue;
    auto& c = s.containers[i];
    if (c.phase == ContainerState::Phase::kImage)
      c.phase = c.end ? ContainerState::Phase::kExited : ContainerState::Phase::kWaiting;
    if (can_be_killed(c) && !c.killing) kill(s, i, grace_left(s, s.stop->grace_s, now), out);
    if (c.running() || c.busy()) return false;
  }
  return true;
}

// A deletion brings a grace of its own, and a second one may shorten it. Finished, evicted and the like keep their
// reason: only the object is to go as well.
void take_deletion(PodState& s) {
  if (!s.spec->deleting && !s.gone) return;
  int64_t grace = std::max(s.spec->deleting ? s.spec->deletion_grace_s : s.spec->grace_s, kGraceLeast);
  s.stop->grace_s = s.deletion_seen                      ? std::min(s.stop->grace_s, grace)
                    : s.stop->why == Stop::Why::kDeleted ? grace
                                                         : std::min(s.stop->grace_s, grace);
  s.deletion_seen = true;
}

}  // namespace

void decide_stop(PodState& s, const Now& now, Outcome* out) {
  using Sandbox = PodState::Sandbox;
  take_deletion(s);
  if (!stop_containers(s, now, out)) return;
  if (s.sandbox == Sandbox::kStarting || s.sandbox == Sandbox::kStopping || s.volumes == PodState::Volumes::kPreparing)
    return;
  if (s.sandbox == Sandbox::kReady) {
    s.sandbox = Sandbox::kStopping;
    out->actions.push_back(Action{Action::Kind::kStopSandbox, -1, false, 0, s.sandbox_id, {}, {}});
    return;
  }
  if (s.cleanup == PodState::Cleanup::kNone) {
    s.cleanup = PodState::Cleanup::kRunning;
    out->actions.push_back(Action{Action::Kind::kCleanUp, -1, false, 0, {}, {}, {}});
    return;
  }
  if (s.cleanup != PodState::Cleanup::kDone) return;
  if (s.gone && !s.remove_sent) {
    s.remove_sent = true;
    out->actions.push_back(Action{Action::Kind::kRemoveAll, -1, false, 0, {}, {}, {}});
  } else if (!s.gone && s.spec->deleting && !s.delete_sent) {
    s.delete_sent = true;
    out->actions.push_back(Action{Action::Kind::kDeleteObject, -1, false, 0, {}, {}, {}});
  }
}

}  // namespace lotse::agent
