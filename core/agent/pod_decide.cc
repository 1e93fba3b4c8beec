// What to do next for a pod that is to run.
#include "core/agent/pod_state.h"

namespace lotse::agent {
namespace {

using Phase = ContainerState::Phase;

std::string pod_text(const PodSpec& spec) { return spec.name + "_" + spec.ns + "(" + spec.uid + ")"; }

std::string seconds(Duration d) {
  auto s = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  return s >= 60 && s % 60 == 0 ? std::to_string(s / 60) + "m0s"
         : s > 60               ? std::to_string(s / 60) + "m" + std::to_string(s % 60) + "s"
                                : std::to_string(s) + "s";
}

// True while the container must still wait after it ended; sets the state that is shown meanwhile.
bool crash_backoff(PodState& s, int index, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  if (!c.end) return false;
  auto ready = c.crash.ready_at(c.ended);
  if (ready <= now.steady) return false;
  const auto& spec = s.spec->containers[static_cast<size_t>(index)];
  c.reason = "CrashLoopBackOff";
  c.message = "back-off " + seconds(c.crash.current()) + " restarting failed container=" + spec.name +
              " pod=" + pod_text(*s.spec);
  if (!c.announced) {
    c.announced = true;
    event(out, index, true, "BackOff",
          "Back-off restarting failed container " + spec.name + " in pod " + pod_text(*s.spec));
  }
  wake_at(out, ready);
  return true;
}

bool pull_backoff(PodState& s, int index, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  if (c.pull.current() == Duration(0)) return false;
  auto ready = c.pull.ready_at(c.pull_failed);
  if (ready <= now.steady) return false;
  wake_at(out, ready);
  if (c.reason == "ErrImagePull" && now.steady > c.pull_failed) {
    const auto& image = s.spec->containers[static_cast<size_t>(index)].image;
    c.message = "Back-off pulling image \"" + image + "\": ErrImagePull: " + c.message;
    c.reason = "ImagePullBackOff";
    event(out, index, false, "BackOff", "Back-off pulling image \"" + image + "\"");
    event(out, index, true, "Failed", "Error: ImagePullBackOff");
  } else if (c.reason == "ErrImagePull") {
    wake_at(out, now.steady + std::chrono::seconds(2));  // shown as what it is for a moment, then as a wait
  }
  return true;
}

void start(PodState& s, int index, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  if (c.phase != Phase::kWaiting && c.phase != Phase::kExited) return;
  if (crash_backoff(s, index, now, out) || pull_backoff(s, index, now, out)) return;
  if (c.retry_at > now.steady) return wake_at(out, c.retry_at);
  if (c.end) c.crash.next(c.ended, now.steady);
  if (c.attempt < 0 && s.spec->containers[static_cast<size_t>(index)].reported.restarts > 0) {
    c.attempt = s.spec->containers[static_cast<size_t>(index)].reported.restarts;  // the runtime has lost them all
  }
  c.phase = Phase::kImage;
  Action a{Action::Kind::kEnsureImage};
  a.container = index;
  out->actions.push_back(std::move(a));
}

void restart_changed(PodState& s, int index, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  const auto& spec = s.spec->containers[static_cast<size_t>(index)];
  if (!c.running() || c.killing || c.image.empty() || c.image == spec.image || spec.role == Role::kEphemeral) return;
  event(out, index, false, "Killing", "Container " + spec.name + " definition changed, will be restarted");
  c.killing = true;
  Action a{Action::Kind::kKill};
  a.container = index;
  a.number = c.kill_grace_s = s.spec->grace_s;
  out->actions.push_back(std::move(a));
}

// True once every init container has completed and every sidecar has started.
bool initialize(PodState& s, const Now& now, Outcome* out) {
  for (size_t n = 0; n < s.containers.size(); ++n) {
    int i = static_cast<int>(n);
    const auto& spec = s.spec->containers[n];
    auto& c = s.containers[n];
    if (spec.role == Role::kSidecar) {
      if (!c.running()) start(s, i, now, out);
      if (!s.initialized && !(c.running() && c.startup_ok)) return false;
    } else if (spec.role == Role::kInit && !s.initialized) {
      if (c.phase == Phase::kExited && c.end && c.end->exit_code == 0) continue;
      if (c.phase == Phase::kWaiting || (c.phase == Phase::kExited && wants_restart(spec, c))) start(s, i, now, out);
      return false;
    }
  }
  s.initialized = true;
  return true;
}

// True if all main containers have ended for good.
bool run_main(PodState& s, const Now& now, Outcome* out) {
  bool all_done = true;
  for (size_t n = 0; n < s.containers.size(); ++n) {
    const auto& spec = s.spec->containers[n];
    auto& c = s.containers[n];
    if (spec.role == Role::kEphemeral && c.phase == Phase::kWaiting && !c.end) start(s, static_cast<int>(n), now, out);
    if (spec.role != Role::kMain) continue;
    if (c.phase == Phase::kExited && !wants_restart(spec, c)) continue;
    all_done = false;
    start(s, static_cast<int>(n), now, out);
  }
  return all_done;
}

bool main_done(const PodState& s) {
  bool any = false;
  for (size_t n = 0; n < s.containers.size(); ++n) {
    const auto& spec = s.spec->containers[n];
    if (spec.role != Role::kMain) continue;
    any = true;
    if (s.containers[n].phase != Phase::kExited || wants_restart(spec, s.containers[n])) return false;
  }
  return any;
}

void finish(PodState& s, Stop::Why why, std::string reason, std::string message, const Now& now) {
  s.stop = Stop{why, std::move(reason), std::move(message), s.spec->grace_s, now.steady};
}

bool past_deadline(PodState& s, const Now& now, Outcome* out) {
  if (!s.spec->active_deadline_s || s.start_time == WallTime{}) return false;
  auto due = s.start_time + std::chrono::seconds(*s.spec->active_deadline_s);
  if (now.wall < due) {
    wake_at(out, now.steady + (due - now.wall));
    return false;
  }
  event(out, -1, false, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
  finish(s, Stop::Why::kDeadline, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline",
         now);
  return true;
}

void prepare_volumes(PodState& s, const Now& now, Outcome* out) {
  if (s.volumes != PodState::Volumes::kNone) return;
  if (s.volumes_retry > now.steady) return wake_at(out, s.volumes_retry);
  s.volumes = PodState::Volumes::kPreparing;
  out->actions.push_back(Action{Action::Kind::kPrepareVolumes, -1, false, 0, {}, {}, {}});
}

void run_sandbox(PodState& s, const Now& now, Outcome* out) {
  if (s.sandbox != PodState::Sandbox::kNone) return;
  if (s.sandbox_retry > now.steady) return wake_at(out, s.sandbox_retry);
  if (!s.network_ok && !s.spec->host_network) return;  // kNetwork comes as an input
  s.sandbox = PodState::Sandbox::kStarting;
  out->actions.push_back(Action{Action::Kind::kRunSandbox, -1, false, s.sandbox_attempt, {}, {}, {}});
}

}  // namespace

void decide(PodState& s, const Now& now, Outcome* out) {
  if (s.gone || s.spec->deleting) {
    return finish(s, Stop::Why::kDeleted, {}, {}, now);  // with the grace of the deletion: see pod_stop.cc
  }
  if (s.spec->terminal()) {
    return finish(s, Stop::Why::kFinished, s.spec->status_reason, s.spec->status_message, now);
  }
  if (!s.admitted) return;
  if (past_deadline(s, now, out)) return;
  if (main_done(s) || failed_to_initialize(s)) return finish(s, Stop::Why::kFinished, {}, {}, now);
  if (s.sandbox == PodState::Sandbox::kReady) {
    for (size_t i = 0; i < s.containers.size(); ++i) restart_changed(s, static_cast<int>(i), out);
  }
  // Volumes and the sandbox are made at the same time: neither needs the other.
  prepare_volumes(s, now, out);
  run_sandbox(s, now, out);
  if (s.volumes != PodState::Volumes::kReady || s.sandbox != PodState::Sandbox::kReady) return;
  if (!initialize(s, now, out)) {
    if (failed_to_initialize(s)) finish(s, Stop::Why::kFinished, {}, {}, now);
    return;
  }
  if (run_main(s, now, out)) finish(s, Stop::Why::kFinished, {}, {}, now);
}

}  // namespace lotse::agent
