#include "core/schema/rows.h"

namespace lotse::schema {
namespace {

using json::Value;

struct Summary {
  std::string reason;
  int64_t ready = 0, total = 0, restarts = 0;
  std::optional<WallTime> last_restart;
};

void count_restart(const Value& status, int64_t* restarts, std::optional<WallTime>* last) {
  *restarts += status["restartCount"].integer();
  auto finished = parse_time(status["lastState"]["terminated"]["finishedAt"].str());
  if (finished.ok() && (!*last || *finished > **last)) *last = *finished;
}

std::string exit_text(const Value& terminated) {
  if (!terminated["reason"].str().empty()) return std::string(terminated["reason"].str());
  if (const int64_t signal = terminated["signal"].integer(); signal != 0) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(terminated["exitCode"].integer());
}

bool has_condition(const Value& status, std::string_view type) {
  for (const Value& c : status["conditions"].items()) {
    if (c["type"].str() == type && c["status"].str() == "True") return true;
  }
  return false;
}

bool is_sidecar(const Value& spec, std::string_view name) {
  for (const Value& c : spec["initContainers"].items()) {
    if (c["name"].str() == name) return c["restartPolicy"].str() == "Always";
  }
  return false;
}

// What holds up the pod's start, if anything does; counts sidecars that are ready.
bool init_containers(const Value& pod, Summary* s, int64_t* sidecar_restarts, std::optional<WallTime>* sidecar_last) {
  const Value& statuses = pod["status"]["initContainerStatuses"];
  for (size_t i = 0; i < statuses.size(); ++i) {
    const Value &c = statuses.at(i), &terminated = c["state"]["terminated"], &waiting = c["state"]["waiting"];
    const bool sidecar = is_sidecar(pod["spec"], c["name"].str());
    count_restart(c, &s->restarts, &s->last_restart);
    if (sidecar) count_restart(c, sidecar_restarts, sidecar_last);
    if (!terminated.is_null() && terminated["exitCode"].integer() == 0) continue;
    if (sidecar && c["started"].boolean()) {
      s->ready += c["ready"].boolean();
      continue;
    }
    if (!terminated.is_null())
      s->reason = "Init:" + exit_text(terminated);
    else if (!waiting["reason"].str().empty() && waiting["reason"].str() != "PodInitializing")
      s->reason = "Init:" + std::string(waiting["reason"].str());
    else
      s->reason = "Init:" + std::to_string(i) + "/" + std::to_string(pod["spec"]["initContainers"].size());
    return true;
  }
  return false;
}

void main_containers(const Value& pod, Summary* s) {
  bool running = false;
  const Value& statuses = pod["status"]["containerStatuses"];
  for (size_t i = statuses.size(); i-- > 0;) {
    const Value &c = statuses.at(i), &state = c["state"];
    count_restart(c, &s->restarts, &s->last_restart);
    if (!state["waiting"]["reason"].str().empty()) {
      s->reason = state["waiting"]["reason"].str();
    } else if (!state["terminated"].is_null()) {
      s->reason = exit_text(state["terminated"]);
    } else if (c["ready"].boolean() && !state["running"].is_null()) {
      running = true;
      ++s->ready;
    }
  }
  if (s->reason == "Completed" && running) s->reason = has_condition(pod["status"], "Ready") ? "Running" : "NotReady";
}

Summary summarize(const Value& pod) {
  Summary s;
  const Value& status = pod["status"];
  const std::string_view phase = status["phase"].str(), why = status["reason"].str();
  s.reason = why.empty() ? phase : why;
  for (const Value& c : status["conditions"].items()) {
    if (c["type"].str() == "PodScheduled" && c["reason"].str() == "SchedulingGated") s.reason = "SchedulingGated";
  }
  s.total = static_cast<int64_t>(pod["spec"]["containers"].size());
  for (const Value& c : pod["spec"]["initContainers"].items()) s.total += c["restartPolicy"].str() == "Always";
  int64_t sidecar_restarts = 0;
  std::optional<WallTime> sidecar_last;
  const bool initializing = init_containers(pod, &s, &sidecar_restarts, &sidecar_last);
  if (!initializing || has_condition(status, "Initialized")) {
    s.restarts = sidecar_restarts;
    s.last_restart = sidecar_last;
    main_containers(pod, &s);
  }
  if (pod["metadata"]["deletionTimestamp"].is_null()) return s;
  if (why == "NodeLost")
    s.reason = "Unknown";
  else if (phase != "Succeeded" && phase != "Failed")
    s.reason = "Terminating";
  return s;
}

std::string gates(const Value& pod) {
  const Value& all = pod["spec"]["readinessGates"];
  if (all.empty()) return "<none>";
  size_t passed = 0;
  for (const Value& g : all.items()) passed += has_condition(pod["status"], g["conditionType"].str());
  return std::to_string(passed) + "/" + std::to_string(all.size());
}

}  // namespace

Cells row_pod(const Value& pod, WallTime now) {
  const Summary s = summarize(pod);
  std::string restarts = std::to_string(s.restarts);
  if (s.restarts != 0 && s.last_restart)
    restarts += " (" + format_age(std::max(now - *s.last_restart, Duration(0))) + " ago)";
  const Value& status = pod["status"];
  std::string ip(status["podIPs"].at(0)["ip"].str(status["podIP"].str()));
  return {pod["metadata"]["name"],
          std::to_string(s.ready) + "/" + std::to_string(s.total),
          s.reason,
          restarts,
          age(pod["metadata"]["creationTimestamp"], now),
          or_none(std::move(ip)),
          or_none(std::string(pod["spec"]["nodeName"].str())),
          or_none(std::string(status["nominatedNodeName"].str())),
          gates(pod)};
}

}  // namespace lotse::schema
