// Probes and events of a pod.
#include "core/agent/pod_worker.h"

namespace lotse::agent {
namespace {

const char* probe_name(ProbeKind kind) {
  return kind == ProbeKind::kStartup ? "Startup" : kind == ProbeKind::kReadiness ? "Readiness" : "Liveness";
}

}  // namespace

void PodWorker::start_probes(int container) {
  const auto& spec = state_.spec->containers[static_cast<size_t>(container)];
  const auto& c = state_.containers[static_cast<size_t>(container)];
  if (!Prober::wanted(spec) || spec.role == Role::kInit) return;
  auto tell = [weak = weak_from_this(), container](ProbeKind kind, bool ok, const std::string& message) {
    auto self = weak.lock();
    if (!self) return;
    Input in = self->about(Input::Kind::kProbe, container);
    in.probe = kind;
    in.ok = ok;
    in.text = message;
    self->feed(std::move(in));
  };
  if (c_.config.hollow) {  // nothing is there to be asked
    if (spec.startup) tell(ProbeKind::kStartup, true, "");
    if (spec.readiness) tell(ProbeKind::kReadiness, true, "");
    return;
  }
  Prober::Callbacks callbacks;
  callbacks.result = tell;
  callbacks.failed = [weak = weak_from_this(), container](ProbeKind kind, const std::string& message) {
    if (auto self = weak.lock()) {
      self->emit(Action{Action::Kind::kEvent,
                        container,
                        true,
                        0,
                        {},
                        "Unhealthy",
                        std::string(probe_name(kind)) + " probe failed: " + message});
    }
  };
  auto f = facts();
  auto age = std::max<Duration>(c_.loop.clock().now() - c.started, Duration(0));
  probers_[container] = std::make_unique<Prober>(c_.loop, c_.handlers, state_.spec, container, c.id,
                                                 f.pod_ips.empty() ? "" : f.pod_ips.front(), c.startup_ok, c.ready_ok,
                                                 age, std::move(callbacks));
}

EventSubject PodWorker::subject(int container) const {
  EventSubject s{"Pod", state_.spec->ns, state_.spec->name, state_.spec->uid, {}};
  if (container < 0 || container >= static_cast<int>(state_.spec->containers.size())) return s;
  const auto& c = state_.spec->containers[static_cast<size_t>(container)];
  bool init = c.role == Role::kInit || c.role == Role::kSidecar;
  s.field_path = std::string(init                         ? "spec.initContainers{"
                             : c.role == Role::kEphemeral ? "spec.ephemeralContainers{"
                                                          : "spec.containers{") +
                 c.name + "}";
  return s;
}

// Hollow pods tell nobody: a thousand nodes would only measure how fast events are written.
void PodWorker::emit(const Action& a) {
  if (!c_.config.hollow) c_.events.record(subject(a.container), a.warning, a.reason, a.text);
}

}  // namespace lotse::agent
