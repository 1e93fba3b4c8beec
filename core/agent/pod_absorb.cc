// What happened, written into the state. The only decisions here are events that belong to the transition itself.
#include "core/agent/pod_state.h"

namespace lotse::agent {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kSandboxDelayFirst = std::chrono::seconds(1), kSandboxDelayMost = std::chrono::seconds(30);
constexpr Duration kVolumesDelayFirst = std::chrono::milliseconds(500), kVolumesDelayMost = std::chrono::seconds(122);
constexpr Duration kStartDelay = std::chrono::seconds(10);

Duration longer(Duration delay, Duration first, Duration most) {
  return delay == Duration(0) ? first : std::min(delay * 2, most);
}

void probes(Outcome* out, Action::Kind kind, int container) {
  Action a{kind};
  a.container = container;
  out->actions.push_back(std::move(a));
}

// A new revision of the pod. Containers keep their states by name: ephemeral ones may have been added at the end.
void take_spec(PodState& s, const PodSpecPtr& spec) {
  std::vector<ContainerState> containers(spec->containers.size());
  for (size_t i = 0; i < containers.size(); ++i) {
    const auto& c = spec->containers[i];
    int old = s.spec ? s.spec->find(c.name) : -1;
    if (old >= 0) {
      containers[i] = std::move(s.containers[static_cast<size_t>(old)]);
    } else {
      containers[i].startup_ok = !c.startup;
      containers[i].ready_ok = !c.readiness;
    }
  }
  if (!s.spec) s.start_time = spec->start_time;
  s.spec = spec;
  s.containers = std::move(containers);
}

Terminated end_of(const Observation& seen, const Now& now) {
  Terminated end;
  end.id = seen.id;
  end.exit_code = seen.exit_code;
  end.reason = !seen.reason.empty() ? seen.reason : seen.exit_code == 0 ? "Completed" : "Error";
  end.message = seen.message;
  end.started = seen.started;
  end.finished = seen.finished == WallTime{} ? now.wall : seen.finished;
  return end;
}

// The kernel's word about memory goes another way than the exit, and may come after it.
void take_reason(Terminated& end, const Observation& seen) {
  if (seen.phase == Observation::Phase::kExited && end.reason == "Error" && !seen.reason.empty())
    end.reason = seen.reason;
}

// The runtime has one of a higher attempt than we knew of: what was current becomes the last one.
void next_attempt(ContainerState& c, const ContainerSpec& spec, const Observation& seen, Outcome* out) {
  if (c.end) {
    if (c.last && !c.last->id.empty() && c.last->id != c.end->id) {
      Action a{Action::Kind::kRemoveContainer};
      a.id = c.last->id;
      out->actions.push_back(std::move(a));
    }
    c.last = std::move(c.end);
    c.end.reset();
  }
  c.attempt = seen.attempt;
  c.id = seen.id;
  c.has_run = false;
  c.killing = false;
  c.startup_ok = !spec.startup;
  c.ready_ok = !spec.readiness;
}

void becomes_running(PodState& s, int index, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  c.phase = Phase::kRunning;
  c.has_run = true;
  c.reason.clear();
  c.message.clear();
  probes(out, Action::Kind::kStartProbes, index);
}

void see_running(PodState& s, int index, const Observation& seen, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  const auto& spec = s.spec->containers[static_cast<size_t>(index)];
  c.started = seen.started;
  if (c.phase == Phase::kRunning || c.phase == Phase::kExited) return;
  if (c.phase == Phase::kStarting) {
    if (c.reason == "PostStart") return;
    event(out, index, false, "Started", "Started container " + spec.name);
    if (spec.post_start) {
      c.reason = "PostStart";  // it counts as running once its hook is done
      return;
    }
  } else if (spec.reported.id == seen.id) {  // found again after a restart of ours: it is what it was said to be
    c.startup_ok = c.startup_ok || spec.reported.started;
    c.ready_ok = c.ready_ok || spec.reported.ready;
  }
  becomes_running(s, index, out);
}

void see_exited(PodState& s, int index, const Observation& seen, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  if (c.phase == Phase::kExited) return;
  c.end = end_of(seen, now);
  c.phase = Phase::kExited;
  c.ended = now.steady;
  c.killing = false;
  c.ready_ok = false;
  c.reason.clear();
  c.message.clear();
  c.announced = false;
  probes(out, Action::Kind::kStopProbes, index);
}

void observe(PodState& s, int index, const Observation& seen, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  const auto& spec = s.spec->containers[static_cast<size_t>(index)];
  bool ended = seen.attempt == c.attempt &&
               (c.phase == Phase::kExited || (c.end && c.end->id == seen.id));  // its successor may be on the way
  if (seen.attempt < c.attempt || ended) {
    if (seen.attempt < c.attempt && !c.last && seen.phase == Observation::Phase::kExited) c.last = end_of(seen, now);
    for (auto* end : {c.end ? &*c.end : nullptr, c.last ? &*c.last : nullptr}) {
      if (end && end->id == seen.id) take_reason(*end, seen);
    }
    return;
  }
  bool fresh = seen.attempt > c.attempt;
  // Created by us before we were killed, never started: starting the same attempt again gives the same container.
  if (fresh && seen.phase == Observation::Phase::kCreated && c.phase != Phase::kStarting) return;
  if (fresh) next_attempt(c, spec, seen, out);
  if (!seen.image_id.empty()) c.image_id = seen.image_id;
  c.image = spec.image;
  switch (seen.phase) {
    case Observation::Phase::kCreated:
      if (fresh) event(out, index, false, "Created", "Created container " + spec.name);
      break;
    case Observation::Phase::kRunning: see_running(s, index, seen, out); break;
    case Observation::Phase::kExited: see_exited(s, index, seen, now, out); break;
    case Observation::Phase::kUnknown: break;
  }
}

void vanish(PodState& s, int index, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  if (c.phase != Phase::kRunning && !(c.phase == Phase::kStarting && c.reason == "PostStart")) return;
  Observation seen;
  seen.id = c.id;
  seen.exit_code = 137;
  seen.reason = "ContainerStatusUnknown";
  seen.message = "the container is no longer known to the runtime";
  seen.started = c.started;
  see_exited(s, index, seen, now, out);
}

void kill_unhealthy(PodState& s, int index, const char* which, std::optional<int64_t> grace, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(index)];
  const auto& name = s.spec->containers[static_cast<size_t>(index)].name;
  if (c.killing || !(c.running() || c.phase == Phase::kStarting)) return;
  event(out, index, false, "Killing", "Container " + name + " failed " + which + ", will be restarted");
  c.killing = true;
  Action a{Action::Kind::kKill};
  a.container = index;
  a.number = c.kill_grace_s = grace.value_or(s.spec->grace_s);
  out->actions.push_back(std::move(a));
}

void probe_result(PodState& s, const Input& in, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(in.container)];
  const auto& spec = s.spec->containers[static_cast<size_t>(in.container)];
  if (!c.running()) return;
  switch (in.probe) {
    case ProbeKind::kReadiness: c.ready_ok = in.ok; break;
    case ProbeKind::kStartup:
      if (in.ok) c.startup_ok = true;
      else kill_unhealthy(s, in.container, "startup probe", spec.startup ? spec.startup->grace_s : std::nullopt, out);
      break;
    case ProbeKind::kLiveness:
      if (!in.ok)
        kill_unhealthy(s, in.container, "liveness probe", spec.liveness ? spec.liveness->grace_s : std::nullopt, out);
      break;
  }
}

void hook_done(PodState& s, const Input& in, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(in.container)];
  if (c.phase != Phase::kStarting || c.reason != "PostStart") return;
  c.reason.clear();
  if (in.ok) return becomes_running(s, in.container, out);
  event(out, in.container, true, "FailedPostStartHook", in.text);
  becomes_running(s, in.container, out);
  kill_unhealthy(s, in.container, "postStart hook", std::nullopt, out);
}

void image_failed(PodState& s, const Input& in, const Now& now) {
  auto& c = s.containers[static_cast<size_t>(in.container)];
  if (c.phase != Phase::kImage) return;
  c.phase = c.end ? Phase::kExited : Phase::kWaiting;
  c.reason = in.reason;
  c.message = in.text;
  c.announced = false;
  c.pull_failed = now.steady;
  c.pull.next(now.steady, now.steady);
}

void start_failed(PodState& s, const Input& in, const Now& now, Outcome* out) {
  auto& c = s.containers[static_cast<size_t>(in.container)];
  if (c.phase != Phase::kStarting) return;
  c.phase = c.end ? Phase::kExited : Phase::kWaiting;
  c.reason = in.reason;
  c.message = in.text;
  c.retry_at = now.steady + kStartDelay;
  event(out, in.container, true, "Failed", "Error: " + in.text);
}

// The old sandbox is gone and took its containers along: what is to run starts anew, init containers first.
void sandbox_stopped(PodState& s, const Now& now, Outcome* out) {
  for (size_t i = 0; i < s.containers.size(); ++i) vanish(s, static_cast<int>(i), now, out);
  s.ips.clear();
  if (s.stop) {
    s.sandbox = PodState::Sandbox::kStopped;
    return;
  }
  s.sandbox = PodState::Sandbox::kNone;
  s.sandbox_id.clear();
  s.initialized = false;
  for (size_t i = 0; i < s.containers.size(); ++i) {
    auto& c = s.containers[i];
    if (s.spec->containers[i].role != Role::kInit || c.phase != Phase::kExited || !c.end || c.end->exit_code != 0)
      continue;
    c.phase = Phase::kWaiting;
    c.last = std::move(c.end);
    c.end.reset();
  }
}

void set_stop(PodState& s, Stop::Why why, const Input& in, int64_t grace, const Now& now) {
  // A pod that finished or was rejected may still be deleted; all else stays as it was decided first.
  if (s.stop) return;
  s.stop = Stop{why, in.reason, in.text, grace, now.steady};
}

}  // namespace

void absorb(PodState& s, const Input& in, const Now& now, Outcome* out) {
  using Kind = Input::Kind;
  if (in.container >= static_cast<int>(s.containers.size())) return;
  switch (in.kind) {
    case Kind::kTick: break;
    case Kind::kPod: take_spec(s, in.spec); break;
    case Kind::kGone: s.gone = true; break;
    case Kind::kAdmitted:
      s.admitted = true;
      if (s.start_time == WallTime{}) s.start_time = now.wall;
      break;
    case Kind::kReject:
      set_stop(s, Stop::Why::kRejected, in, 0, now);
      if (s.start_time == WallTime{}) s.start_time = now.wall;
      event(out, -1, true, in.reason, in.text);
      break;
    case Kind::kNetwork: s.network_ok = in.ok; break;
    case Kind::kVolumesReady:
      s.volumes = PodState::Volumes::kReady;
      s.volumes_delay = Duration(0);
      break;
    case Kind::kVolumesFailed:
      s.volumes = PodState::Volumes::kNone;
      if (in.ok) {  // nothing failed: something has not been read yet, and kVolumesChanged will come
        s.volumes_retry = now.steady + std::chrono::hours(1);
        break;
      }
      s.volumes_delay = longer(s.volumes_delay, kVolumesDelayFirst, kVolumesDelayMost);
      s.volumes_retry = now.steady + s.volumes_delay;
      event(out, -1, true, "FailedMount", in.text);
      break;
    case Kind::kVolumesChanged:
      if (s.volumes == PodState::Volumes::kNone) s.volumes_retry = now.steady;
      for (auto& c : s.containers) {
        if (c.reason == "CreateContainerConfigError") c.retry_at = now.steady;
      }
      break;
    case Kind::kSandboxReady:
      s.sandbox = PodState::Sandbox::kReady;
      s.sandbox_id = in.id;
      s.ips = in.ips;
      s.sandbox_attempt = static_cast<int>(in.number) + 1;
      s.sandbox_delay = Duration(0);
      break;
    case Kind::kSandboxFailed:
      s.sandbox = PodState::Sandbox::kNone;
      s.sandbox_delay = longer(s.sandbox_delay, kSandboxDelayFirst, kSandboxDelayMost);
      s.sandbox_retry = now.steady + s.sandbox_delay;
      event(out, -1, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: " + in.text);
      break;
    case Kind::kSandboxLost:
      if (s.sandbox != PodState::Sandbox::kReady || (!in.id.empty() && in.id != s.sandbox_id)) break;
      if (!s.stop) event(out, -1, false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
      s.sandbox = PodState::Sandbox::kStopping;
      out->actions.push_back(Action{Action::Kind::kStopSandbox, -1, false, 0, s.sandbox_id, {}, {}});
      break;
    case Kind::kSandboxStopped: sandbox_stopped(s, now, out); break;
    case Kind::kImageReady:
      if (auto& c = s.containers[static_cast<size_t>(in.container)]; c.phase == Phase::kImage) {
        c.phase = Phase::kStarting;
        c.reason.clear();
        c.message.clear();
        c.image_id = in.id;
        c.pull.reset();
        Action a{Action::Kind::kStart};
        a.container = in.container;
        a.number = std::max(c.attempt + 1, 0);
        a.id = in.id;
        out->actions.push_back(std::move(a));
      }
      break;
    case Kind::kImageFailed: image_failed(s, in, now); break;
    case Kind::kStartFailed: start_failed(s, in, now, out); break;
    case Kind::kObserved: observe(s, in.container, in.seen, now, out); break;
    case Kind::kVanished: vanish(s, in.container, now, out); break;
    case Kind::kHookDone: hook_done(s, in, out); break;
    case Kind::kProbe: probe_result(s, in, out); break;
    case Kind::kEvict:
      if (!s.stop) event(out, -1, true, "Evicted", in.text);
      set_stop(s, Stop::Why::kEvicted, in, in.number, now);
      break;
    case Kind::kCleaned: s.cleanup = PodState::Cleanup::kDone; break;
    case Kind::kDeleted: s.gone = true; break;
    case Kind::kDeleteFailed: s.delete_sent = false; break;
    case Kind::kRemoved: s.removed = true; break;
  }
}

}  // namespace lotse::agent
