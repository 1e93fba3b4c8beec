#include "core/agent/pod_state.h"

namespace lotse::agent {

SteadyTime Backoff::ready_at(SteadyTime event) const {
  if (delay_ == Duration(0) || expired(event)) return event;
  return event + delay_;
}

void Backoff::next(SteadyTime event, SteadyTime now) {
  delay_ = delay_ == Duration(0) || expired(event) ? kFirst : std::min(delay_ * 2, kMost);
  used_ = now;
}

bool PodState::any_running() const {
  return std::any_of(containers.begin(), containers.end(), [](const ContainerState& c) { return c.running(); });
}

bool PodState::any_busy() const {
  return std::any_of(containers.begin(), containers.end(), [](const ContainerState& c) { return c.busy(); });
}

void wake_at(Outcome* out, SteadyTime when) {
  if (!out->wake || when < *out->wake) out->wake = when;
}

void event(Outcome* out, int container, bool warning, std::string reason, std::string text) {
  Action a{Action::Kind::kEvent};
  a.container = container;
  a.warning = warning;
  a.reason = std::move(reason);
  a.text = std::move(text);
  out->actions.push_back(std::move(a));
}

bool wants_restart(const ContainerSpec& spec, const ContainerState& state) {
  if (spec.role == Role::kSidecar) return true;
  if (spec.role == Role::kEphemeral) return false;
  if (!state.end) return true;
  if (spec.role == Role::kInit && state.end->exit_code == 0) return false;
  if (spec.restart == Restart::kAlways) return true;
  return spec.restart == Restart::kOnFailure && state.end->exit_code != 0;
}

bool failed_to_initialize(const PodState& state) {
  if (state.initialized) return false;
  for (size_t i = 0; i < state.containers.size(); ++i) {
    const auto& spec = state.spec->containers[i];
    const auto& c = state.containers[i];
    if (spec.role == Role::kInit && c.phase == ContainerState::Phase::kExited && c.end && c.end->exit_code != 0 &&
        !wants_restart(spec, c)) {
      return true;
    }
  }
  return false;
}

Outcome step(PodState& state, const Input& input, const Now& now) {
  Outcome out;
  absorb(state, input, now, &out);
  if (state.removed || !state.spec) return out;
  if (!state.stop) decide(state, now, &out);
  if (state.stop) decide_stop(state, now, &out);
  return out;
}

}  // namespace lotse::agent
