// Finding a pod's sandbox and containers again.
#include "core/agent/pod_worker.h"

namespace lotse::agent {
namespace {

WallTime unix_time(const MsgValue& v) { return WallTime(Duration(v.as_int())); }

}  // namespace

Observation observation(const MsgValue& v) {
  Observation o;
  auto state = v["state"].as_text();
  o.phase = state == "created" ? Observation::Phase::kCreated : state == "running" ? Observation::Phase::kRunning
            : state == "exited" ? Observation::Phase::kExited : Observation::Phase::kUnknown;
  o.id = std::string(v["id"].as_text());
  o.sandbox = std::string(v["sandbox"].as_text());
  o.name = std::string(v["name"].as_text());
  o.attempt = static_cast<int>(v["attempt"].as_int());
  o.exit_code = static_cast<int>(v["exit_code"].as_int());
  o.reason = std::string(v["reason"].as_text());
  o.message = std::string(v["message"].as_text());
  o.image_id = std::string(v["image_id"].as_text());
  o.started = unix_time(v["started"]);
  o.finished = unix_time(v["finished"]);
  return o;
}

// The newest sandbox counts. Of each container the newest attempt is the current one, the one before its last.
void recover(PodState& state, const Found& found, const Now& now, Outcome* out) {
  const MsgValue* newest = nullptr;
  for (const auto& s : found.sandboxes) {
    if (!newest || s["attempt"].as_int() > (*newest)["attempt"].as_int()) newest = &s;
  }
  if (!newest) return;
  state.admitted = true;
  if (state.start_time == WallTime{}) state.start_time = unix_time((*newest)["created"]);
  std::vector<const MsgValue*> order;
  for (const auto& c : found.containers) order.push_back(&c);
  std::sort(order.begin(), order.end(),
            [](const MsgValue* a, const MsgValue* b) { return (*a)["attempt"].as_int() < (*b)["attempt"].as_int(); });
  bool main_seen = false;
  for (const auto* c : order) {
    int i = state.spec->find((*c)["name"].as_text());
    if (i < 0) continue;
    Input in;
    in.kind = Input::Kind::kObserved;
    in.container = i;
    in.seen = observation(*c);
    absorb(state, in, now, out);
    bool current = (*c)["sandbox"].as_text() == (*newest)["id"].as_text();
    main_seen = main_seen || (current && state.spec->containers[static_cast<size_t>(i)].role == Role::kMain);
  }
  state.sandbox_attempt = static_cast<int>((*newest)["attempt"].as_int()) + 1;
  if ((*newest)["state"].as_text() != "ready") {
    // It died while we were not there: stopping it gives back its network, then the pod goes on as usual.
    state.sandbox = PodState::Sandbox::kStopping;
    state.sandbox_id = std::string((*newest)["id"].as_text());
    out->actions.push_back(Action{Action::Kind::kStopSandbox, -1, false, 0, state.sandbox_id, {}, {}});
    return;
  }
  state.sandbox = PodState::Sandbox::kReady;
  state.sandbox_id = std::string((*newest)["id"].as_text());
  state.ips = (*newest)["ips"].as_strings();
  state.initialized = main_seen;
  // Its volumes were made before its first container was.
  if (!found.containers.empty()) state.volumes = PodState::Volumes::kReady;
}

}  // namespace lotse::agent
