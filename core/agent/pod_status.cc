#include "core/agent/pod_status.h"

#include "core/agent/downward.h"

namespace lotse::agent {
namespace {

using Phase = ContainerState::Phase;

struct Counts {
  int init_pending = 0, init_failed = 0, sidecar_pending = 0;
  int running = 0, waiting = 0, stopped = 0, succeeded = 0;
};

// A container that ended and waits to be started again counts as stopped, not as waiting.
Counts count(const PodState& s) {
  Counts n;
  for (size_t i = 0; i < s.containers.size(); ++i) {
    const auto& c = s.containers[i];
    switch (s.spec->containers[i].role) {
      case Role::kEphemeral: break;
      case Role::kInit:
        if (s.initialized || (c.end && c.end->exit_code == 0)) break;
        if (c.end) ++n.init_failed;
        else ++n.init_pending;
        break;
      case Role::kSidecar:
        if (c.running()) {
          ++n.running;
          if (!c.startup_ok) ++n.sidecar_pending;
        } else if (!c.end) {
          ++n.sidecar_pending;
        }
        break;
      case Role::kMain:
        if (c.running()) {
          ++n.running;
        } else if (c.end) {
          ++n.stopped;
          if (c.end->exit_code == 0) ++n.succeeded;
        } else {
          ++n.waiting;
        }
    }
  }
  return n;
}

bool all_ended(const PodState& s) {
  for (size_t i = 0; i < s.containers.size(); ++i) {
    if (s.containers[i].running() || s.containers[i].busy()) return false;
  }
  return true;
}

json::Value terminated(const Terminated& end, const StatusStyle& style) {
  auto v = json::Value::object({{"exitCode", end.exit_code}, {"reason", end.reason}});
  if (end.started != WallTime{}) v.set("startedAt", format_time(end.started));
  v.set("finishedAt", format_time(end.finished));
  if (!end.id.empty()) v.set("containerID", style.runtime + "://" + end.id);
  if (!end.message.empty()) v.set("message", end.message);
  return v;
}

json::Value current(const PodState& s, size_t index, const StatusStyle& style) {
  const auto& c = s.containers[index];
  if (c.running())
    return json::Value::object({{"running", json::Value::object({{"startedAt", format_time(c.started)}})}});
  bool waits = !c.reason.empty() && c.reason != "PostStart" && !s.stop;
  if (c.phase == Phase::kExited && c.end && !waits)
    return json::Value::object({{"terminated", terminated(*c.end, style)}});
  std::string reason = c.reason, message = c.message;
  if (reason.empty() || reason == "PostStart") {
    bool early =
        s.spec->containers[index].role == Role::kMain && !s.initialized && s.spec->containers[0].role != Role::kMain;
    reason = early ? "PodInitializing" : "ContainerCreating";
    message.clear();
  }
  auto waiting = json::Value::object({{"reason", reason}});
  if (!message.empty()) waiting.set("message", message);
  return json::Value::object({{"waiting", std::move(waiting)}});
}

bool is_ready(const PodState& s, size_t index) {
  const auto& c = s.containers[index];
  if (s.spec->containers[index].role == Role::kInit) return c.end && c.end->exit_code == 0;
  return c.running() && c.startup_ok && c.ready_ok;
}

// What the container was given of what its spec asks for.
void add_what_was_asked(const json::Value& container, json::Value* status) {
  const auto& asked = container["resources"];
  auto resources = json::Value::object();
  for (const char* kind : {"limits", "requests"}) {
    if (!asked[kind].empty()) resources.set(kind, asked[kind]);
  }
  if (!asked["requests"].empty()) status->set("allocatedResources", asked["requests"]);
  status->set("resources", std::move(resources));
  auto mounts = json::Value::array();
  for (const auto& m : container["volumeMounts"].items()) {
    auto v = json::Value::object({{"name", m["name"]}, {"mountPath", m["mountPath"]}});
    if (m["readOnly"].boolean()) {
      bool whole = m["recursiveReadOnly"].str() == "Enabled" || m["recursiveReadOnly"].str() == "IfPossible";
      v.set("readOnly", true).set("recursiveReadOnly", whole ? "Enabled" : "Disabled");
    }
    mounts.push(std::move(v));
  }
  if (!mounts.empty()) status->set("volumeMounts", std::move(mounts));
}

json::Value container_status(const PodState& s, size_t index, const json::Value& pod, const StatusStyle& style) {
  const auto& spec = s.spec->containers[index];
  const auto& c = s.containers[index];
  auto v = json::Value::object({{"name", spec.name}, {"image", spec.image}, {"imageID", c.image_id}});
  v.set("restartCount", std::max(c.attempt, c.attempt < 0 ? spec.reported.restarts : 0));
  v.set("ready", is_ready(s, index));
  v.set("started", c.running() && c.startup_ok);
  v.set("state", current(s, index, style));
  bool between = c.phase != Phase::kRunning && c.end && !v["state"].has("terminated");
  const auto* last = between ? &*c.end : c.last ? &*c.last : nullptr;
  v.set("lastState", last ? json::Value::object({{"terminated", terminated(*last, style)}}) : json::Value::object());
  if (!c.id.empty()) v.set("containerID", style.runtime + "://" + c.id);
  if (style.what_was_asked) add_what_was_asked(find_container(pod, spec.name), &v);
  return v;
}

json::Value statuses(const PodState& s, bool init, bool ephemeral, const json::Value& pod, const StatusStyle& style) {
  auto list = json::Value::array();
  for (size_t i = 0; i < s.containers.size(); ++i) {
    auto role = s.spec->containers[i].role;
    bool is_init = role == Role::kInit || role == Role::kSidecar;
    if (is_init == init && (role == Role::kEphemeral) == ephemeral) list.push(container_status(s, i, pod, style));
  }
  return list;
}

struct Condition {
  std::string type;
  bool ok;
  std::string reason, message;
};

std::string names(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& n : list) out += (out.size() > 1 ? " " : "") + n;
  return out + "]";
}

Condition initialized(const PodState& s, std::string_view phase) {
  if (phase == "Succeeded") return {"Initialized", true, "PodCompleted", ""};
  std::vector<std::string> missing;
  for (size_t i = 0; i < s.containers.size() && !s.initialized; ++i) {
    auto role = s.spec->containers[i].role;
    const auto& c = s.containers[i];
    if (role == Role::kInit && !(c.end && c.end->exit_code == 0)) missing.push_back(s.spec->containers[i].name);
    if (role == Role::kSidecar && !(c.running() && c.startup_ok)) missing.push_back(s.spec->containers[i].name);
  }
  if (missing.empty()) return {"Initialized", true, "", ""};
  return {"Initialized", false, "ContainersNotInitialized", "containers with incomplete status: " + names(missing)};
}

Condition containers_ready(const PodState& s, std::string_view phase) {
  if (phase == "Succeeded") return {"ContainersReady", false, "PodCompleted", ""};
  if (phase == "Failed") return {"ContainersReady", false, "PodFailed", ""};
  std::vector<std::string> unready;
  for (size_t i = 0; i < s.containers.size(); ++i) {
    auto role = s.spec->containers[i].role;
    if ((role == Role::kMain || role == Role::kSidecar) && !is_ready(s, i))
      unready.push_back(s.spec->containers[i].name);
  }
  if (unready.empty()) return {"ContainersReady", true, "", ""};
  return {"ContainersReady", false, "ContainersNotReady", "containers with unready status: " + names(unready)};
}

Condition ready(const PodState& s, const Condition& containers, const json::Value& conditions) {
  Condition c = containers;
  c.type = "Ready";
  if (!c.ok) return c;
  std::string missing;
  for (const auto& gate : s.spec->readiness_gates) {
    std::string_view status;
    for (const auto& have : conditions.items()) {
      if (have["type"].str() == gate) status = have["status"].str();
    }
    if (status == "True") continue;
    missing += (missing.empty() ? "" : ", ") +
               (status.empty()
                    ? "corresponding condition of pod readiness gate \"" + gate + "\" does not exist."
                    : "the status of pod readiness gate \"" + gate + "\" is not \"True\", but " + std::string(status));
  }
  if (missing.empty()) return c;
  return {"Ready", false, "ReadinessGatesNotReady", missing};
}

json::Value write_condition(const Condition& c, const json::Value& conditions, int64_t generation, WallTime now) {
  auto v = json::Value::object({{"type", c.type}, {"status", c.ok ? "True" : "False"}});
  std::string since = format_time(now);
  for (const auto& have : conditions.items()) {
    if (have["type"].str() == c.type && have["status"].str() == v["status"].str() &&
        have["lastTransitionTime"].is_string()) {
      since = std::string(have["lastTransitionTime"].str());
    }
  }
  v.set("lastTransitionTime", since);
  if (!c.reason.empty()) v.set("reason", c.reason);
  if (!c.message.empty()) v.set("message", c.message);
  if (generation > 0) v.set("observedGeneration", generation);
  return v;
}

json::Value conditions(const PodState& s, const json::Value& pod, std::string_view phase, WallTime now) {
  const auto& have = pod["status"]["conditions"];
  auto list = json::Value::array();
  std::vector<Condition> ours;
  ours.push_back({"PodReadyToStartContainers", s.sandbox == PodState::Sandbox::kReady, "", ""});
  ours.push_back(initialized(s, phase));
  auto containers = containers_ready(s, phase);
  ours.push_back(ready(s, containers, have));
  ours.push_back(containers);
  ours.push_back({"PodScheduled", true, "", ""});
  if (s.stop && s.stop->why == Stop::Why::kEvicted) {
    ours.push_back({"DisruptionTarget", true, "TerminationByKubelet", s.stop->message});
  }
  for (const auto& other : have.items()) {
    bool mine =
        std::any_of(ours.begin(), ours.end(), [&](const Condition& c) { return c.type == other["type"].str(); });
    if (!mine) list.push(other);
  }
  for (const auto& c : ours) list.push(write_condition(c, have, s.spec->generation, now));
  return list;
}

json::Value ip_list(const std::vector<std::string>& ips) {
  auto list = json::Value::array();
  for (const auto& ip : ips) list.push(json::Value::object({{"ip", ip}}));
  return list;
}

}  // namespace

std::string_view phase_of(const PodState& s) {
  if (s.spec->terminal()) return s.spec->phase == "Failed" ? "Failed" : "Succeeded";  // an end is for good
  if (s.stop && (s.stop->why == Stop::Why::kRejected || s.stop->why == Stop::Why::kEvicted ||
                 s.stop->why == Stop::Why::kDeadline)) {
    return "Failed";
  }
  auto n = count(s);
  bool ended = s.stop && all_ended(s) && s.sandbox != PodState::Sandbox::kStarting;
  if (failed_to_initialize(s)) return "Failed";
  if (ended) {
    bool ran = n.stopped > 0 && n.waiting == 0;
    if (ran) return n.stopped == n.succeeded ? "Succeeded" : "Failed";
    if (s.stop->why == Stop::Why::kFinished) return "Failed";
    return n.stopped > 0 || s.sandbox == PodState::Sandbox::kStopped ? "Failed" : "Pending";
  }
  if (n.init_pending + n.init_failed > 0 || (!s.initialized && n.sidecar_pending > 0)) return "Pending";
  if (n.waiting > 0) return "Pending";
  if (n.running > 0 || n.stopped > 0) return "Running";
  return "Pending";
}

json::Value make_status(const PodState& s, const json::Value& pod, const std::vector<std::string>& host_ips,
                        WallTime now, const StatusStyle& style) {
  auto status = json::Value::object();
  auto phase = phase_of(s);
  status.set("phase", phase);
  status.set("qosClass", qos_name(s.spec->qos));
  if (s.spec->generation > 0) status.set("observedGeneration", s.spec->generation);
  if (s.start_time != WallTime{}) status.set("startTime", format_time(s.start_time));
  status.set("reason", s.stop && !s.stop->reason.empty() ? json::Value(s.stop->reason) : json::Value(nullptr));
  status.set("message", s.stop && !s.stop->message.empty() ? json::Value(s.stop->message) : json::Value(nullptr));
  if (!host_ips.empty()) {
    status.set("hostIP", host_ips.front());
    status.set("hostIPs", ip_list(host_ips));
  }
  const auto& ips = s.spec->host_network && s.sandbox == PodState::Sandbox::kReady ? host_ips : s.ips;
  if (!ips.empty()) {
    status.set("podIP", ips.front());
    status.set("podIPs", ip_list(ips));
  }
  status.set("conditions", conditions(s, pod, phase, now));
  if (s.stop && s.stop->why == Stop::Why::kRejected) return status;
  auto init = statuses(s, true, false, pod, style);
  if (!init.empty()) status.set("initContainerStatuses", std::move(init));
  status.set("containerStatuses", statuses(s, false, false, pod, style));
  auto ephemeral = statuses(s, false, true, pod, style);
  if (!ephemeral.empty()) status.set("ephemeralContainerStatuses", std::move(ephemeral));
  return status;
}

namespace {

// Merging by key may have put a list into another order: that is no difference.
bool same(const json::Value& a, const json::Value& b) {
  if (!a.is_array() || !b.is_array()) return a == b;
  if (a.size() != b.size()) return false;
  return std::all_of(a.items().begin(), a.items().end(), [&](const json::Value& item) {
    return std::find(b.items().begin(), b.items().end(), item) != b.items().end();
  });
}

}  // namespace

// Conditions are merged by type: what the old one has and the new one has not (a reason, a message) must be taken out
// by name.
static void drop_absent(const json::Value& old_conditions, json::Value* condition) {
  const json::Value& is = *condition;
  for (const auto& old : old_conditions.items()) {
    if (old["type"].str() != is["type"].str()) continue;
    for (const auto& [key, value] : old.members()) {
      if (!is.has(key) && !value.is_null()) condition->set(key, nullptr);
    }
  }
}

json::Value status_patch(const json::Value& pod, const json::Value& status) {
  const auto& have = pod["status"];
  auto patch = json::Value::object();
  for (const auto& [key, value] : status.members()) {
    const auto* old = have.find(key);
    if (value.is_null() ? old == nullptr || old->is_null() : old && same(*old, value)) continue;
    patch.set(key, value);
  }
  // Lists that are merged by key would keep what is no longer so.
  if (patch.has("podIPs") && !have["podIPs"].empty()) {
    patch["podIPs"].push(json::Value::object({{"$patch", "replace"}}));
  }
  if (patch.has("conditions")) {
    for (auto& condition : patch["conditions"].array_items()) drop_absent(have["conditions"], &condition);
  }
  if (patch.empty()) return nullptr;
  auto uid = pod["metadata"]["uid"];
  return json::Value::object({{"metadata", json::Value::object({{"uid", uid}})}, {"status", std::move(patch)}});
}

}  // namespace lotse::agent
