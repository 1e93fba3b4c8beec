#include "core/operator/why.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/operator/refusals.h"

namespace lotse::ops {
namespace {

using json::Value;

constexpr size_t kNodesShown = 20;

std::string age(WallTime now, WallTime then) {
  auto s = std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  if (s < 120) return fmt::format("{} s", std::max<int64_t>(s, 0));
  if (s < 7200) return fmt::format("{} min", s / 60);
  if (s < 48 * 3600) return fmt::format("{} h", s / 3600);
  return fmt::format("{} days", s / 86400);
}

std::string ago(WallTime now, std::string_view time) {
  auto then = parse_time(time);
  return then.ok() ? age(now, *then) + " ago" : "at an unknown time";
}

const Value& condition(const Value& status, std::string_view type) {
  static const Value none;
  for (const Value& c : status["conditions"].items())
    if (c["type"].str() == type) return c;
  return none;
}

std::string_view last_seen(const Value& event) {
  for (const char* key : {"lastTimestamp", "eventTime", "firstTimestamp"})
    if (!event[key].str().empty()) return event[key].str();
  return event["metadata"]["creationTimestamp"].str();
}

// Warnings with one of these reasons, the latest first, each text once.
std::vector<std::string> warnings(const Surroundings& s, WallTime now, std::initializer_list<std::string_view> reasons, size_t most = 3) {
  std::vector<const Value*> found;
  for (const Value& e : s.events)
    if (e["type"].str() == "Warning" && std::find(reasons.begin(), reasons.end(), e["reason"].str()) != reasons.end()) found.push_back(&e);
  std::stable_sort(found.begin(), found.end(), [](const Value* a, const Value* b) { return last_seen(*a) > last_seen(*b); });
  std::vector<std::string> out;
  for (const Value* e : found) {
    std::string times = (*e)["count"].integer(1) > 1 ? fmt::format(", {} times", (*e)["count"].integer()) : "";
    if (out.size() < most) out.push_back(fmt::format("{}: {} ({}{})", (*e)["reason"].str(), (*e)["message"].str(), ago(now, last_seen(*e)), times));
  }
  return out;
}

std::string ended(const Value& terminated) {
  std::string_view reason = terminated["reason"].str();
  const int64_t code = terminated["exitCode"].integer();
  std::string out = fmt::format("ended with exit code {}", code);
  if (!reason.empty() && reason != "Error" && reason != "Completed") out += fmt::format(" ({})", reason);
  if (reason == "OOMKilled") out += ": it used more memory than its limit";
  else if (code == 137) out += ": it was killed (SIGKILL)";
  else if (code == 126 || code == 127 || code == 128) out += ": its command could not be run";
  if (!terminated["message"].str().empty()) out += fmt::format("; it says: {}", terminated["message"].str().substr(0, 200));
  return out;
}

// What holds a container up, or "" where nothing does.
std::string trouble(const Value& status) {
  const Value& state = status["state"];
  const Value& last = status["lastState"]["terminated"];
  const std::string_view name = status["name"].str();
  if (state.has("waiting")) {
    const Value& w = state["waiting"];
    std::string out = fmt::format("{} waits: {}", name, w["reason"].str("not started yet"));
    if (!w["message"].str().empty()) out += fmt::format(": {}", w["message"].str());
    if (last.is_object()) out += fmt::format("; last time it {}, {} restarts", ended(last), status["restartCount"].integer());
    return out;
  }
  if (state.has("terminated")) return fmt::format("{} {}", name, ended(state["terminated"]));
  if (state.has("running")) return {};
  return fmt::format("{} has no status yet", name);
}

Step exists(const Surroundings& s, WallTime now) {
  Step step{"created", Taken::kYes, fmt::format("{} ago", age(now, s.pod->header().created)), {}};
  if (s.pod->header().deletion == WallTime{}) return step;
  const Value pod = s.pod->value();
  step = {"deleted", Taken::kNo, fmt::format("it is being deleted, with {} s of grace", pod["metadata"]["deletionGracePeriodSeconds"].integer()), {}};
  for (const auto& finalizer : s.pod->header().finalizers) step.more.push_back("the finalizer " + finalizer + " has to be taken away by its owner");
  return step;
}

Step scheduled(const Surroundings& s, const Value& pod, WallTime now) {
  const Value& said = condition(pod["status"], "PodScheduled");
  if (!s.pod->header().node_name.empty())
    return {"scheduled", Taken::kYes, fmt::format("on {}{}", s.pod->header().node_name, said.is_null() ? "" : ", " + ago(now, said["lastTransitionTime"].str())), {}};
  Step step{"scheduled", Taken::kNo, "no node has been chosen", {}};
  for (const Value& gate : pod["spec"]["schedulingGates"].items()) step.more.push_back(fmt::format("the scheduling gate {} holds it", gate["name"].str()));
  if (!step.more.empty()) return step;
  const std::string_view scheduler = pod["spec"]["schedulerName"].str("default-scheduler");
  if (said.is_null()) step.more.push_back(fmt::format("the scheduler {} has not said anything about it: is a policy of that name loaded ([components] scheduler)?", scheduler));
  else if (!said["message"].str().empty()) step.says = fmt::format("{} ({})", said["message"].str(), ago(now, said["lastTransitionTime"].str()));
  if (s.nodes.empty()) return step.more.push_back("the cluster has no nodes"), step;
  const auto answers = ask_nodes(s);
  for (size_t i = 0; i < answers.size() && i < kNodesShown; ++i) {
    const auto& a = answers[i];
    step.more.push_back(a.reasons.empty() ? fmt::format("{}: fits now; the next attempt takes it", a.node) : fmt::format("{}: {}", a.node, fmt::join(a.reasons, "; ")));
  }
  if (answers.size() > kNodesShown) step.more.push_back(fmt::format("and {} more nodes", answers.size() - kNodesShown));
  if (!pod["status"]["nominatedNodeName"].str().empty())
    step.more.push_back(fmt::format("it waits for less important pods to end on {}", pod["status"]["nominatedNodeName"].str()));
  return step;
}

Step node(const Surroundings& s, WallTime now) {
  const std::string& name = s.pod->header().node_name;
  for (const auto& n : s.nodes) {
    if (n->header().name != name) continue;
    const Value value = n->value();
    const Value& ready = condition(value["status"], "Ready");
    if (ready["status"].str() == "True") return {"node", Taken::kYes, name + " is ready", {}};
    return {"node", Taken::kFailed, fmt::format("{} is not ready, {}", name, ago(now, ready["lastTransitionTime"].str())), {fmt::format("{}: {}", ready["reason"].str("unknown"), ready["message"].str())}};
  }
  return {"node", Taken::kFailed, name + " does not exist: the pod will be collected", {}};
}

Step sandbox(const Surroundings& s, const Value& pod, WallTime now) {
  const Value& ips = pod["status"]["podIPs"];
  if (!ips.empty()) return {"sandbox", Taken::kYes, fmt::format("address {}", ips.at(0)["ip"].str()), {}};
  Step step{"sandbox", Taken::kNo, "the pod has no address yet", {}};
  step.more = warnings(s, now, {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedPreStartHook", "NetworkNotReady", "Evicted", "OutOfcpu", "OutOfmemory", "OutOfpods", "NodeAffinity"});
  return step;
}

Step init_containers(const Value& pod) {
  const size_t count = pod["spec"]["initContainers"].size();
  Step step{"init containers", Taken::kYes, fmt::format("{} done or running", count), {}};
  for (const Value& spec : pod["spec"]["initContainers"].items()) {
    const bool sidecar = spec["restartPolicy"].str() == "Always";
    const Value* status = nullptr;
    for (const Value& c : pod["status"]["initContainerStatuses"].items())
      if (c["name"].str() == spec["name"].str()) status = &c;
    const bool done = status && (sidecar ? (*status)["started"].boolean() : (*status)["state"]["terminated"].is_object() && (*status)["state"]["terminated"]["exitCode"].integer() == 0);
    if (done) continue;
    step.taken = Taken::kNo;
    step.says = fmt::format("{} has not {}", spec["name"].str(), sidecar ? "started" : "ended well");
    std::string why = status ? trouble(*status) : fmt::format("{} has no status yet", spec["name"].str());
    step.more = {why.empty() ? fmt::format("{} is running", spec["name"].str()) : why};
    return step;
  }
  return step;
}

Step containers(const Surroundings& s, const Value& pod, WallTime now) {
  const auto& statuses = pod["status"]["containerStatuses"];
  Step step{"containers", Taken::kYes, fmt::format("{} running", statuses.size()), {}};
  int64_t restarts = 0;
  for (const Value& c : statuses.items()) {
    restarts += c["restartCount"].integer();
    if (std::string why = trouble(c); !why.empty()) step.more.push_back(std::move(why));
  }
  if (statuses.size() < pod["spec"]["containers"].size()) step.more.push_back("the node has not told about all containers yet");
  if (step.more.empty()) {
    if (restarts > 0) step.says += fmt::format(", restarted {} times", restarts);
    return step;
  }
  step.taken = Taken::kNo;
  step.says = fmt::format("{} of {} do not run", step.more.size(), pod["spec"]["containers"].size());
  for (auto& w : warnings(s, now, {"Failed", "BackOff", "ErrImageNeverPull", "InspectFailed", "FailedPostStartHook", "FailedMount"})) step.more.push_back(std::move(w));
  return step;
}

Step readiness(const Surroundings& s, const Value& pod, WallTime now) {
  const Value& ready = condition(pod["status"], "Ready");
  if (ready["status"].str() == "True") return {"ready", Taken::kYes, ago(now, ready["lastTransitionTime"].str()), {}};
  Step step{"ready", Taken::kNo, {}, {}};
  step.says = std::string(ready["message"].str("the node has not said so yet"));
  for (const Value& c : pod["status"]["containerStatuses"].items())
    if (!c["ready"].boolean()) step.more.push_back(fmt::format("{} runs, and its probe does not succeed yet", c["name"].str()));
  for (const Value& gate : pod["spec"]["readinessGates"].items())
    if (condition(pod["status"], gate["conditionType"].str())["status"].str() != "True") step.more.push_back(fmt::format("the readiness gate {} is not True", gate["conditionType"].str()));
  for (auto& w : warnings(s, now, {"Unhealthy", "ProbeWarning"})) step.more.push_back(std::move(w));
  return step;
}

}  // namespace

Explanation why(const Surroundings& s, WallTime now) {
  Explanation e;
  const Value pod = s.pod->value();
  const std::string name = "pod " + s.pod->header().ns + "/" + s.pod->header().name;
  const std::string_view phase = pod["status"]["phase"].str("Pending");
  e.steps.push_back(exists(s, now));
  if (phase == "Succeeded" || phase == "Failed") {
    Step step{"ended", phase == "Failed" ? Taken::kFailed : Taken::kYes, std::string(pod["status"]["message"].str(pod["status"]["reason"].str("all containers have ended"))), {}};
    for (const Value& c : pod["status"]["containerStatuses"].items())
      if (std::string t = trouble(c); !t.empty()) step.more.push_back(std::move(t));
    e.verdict = fmt::format("{} is over: {}{}", name, phase, pod["status"]["reason"].str().empty() ? "" : fmt::format(" ({})", pod["status"]["reason"].str()));
    e.steps.push_back(std::move(step));
    return e;
  }
  e.steps.push_back(scheduled(s, pod, now));
  auto go_on = [&] { return e.steps.back().taken == Taken::kYes; };
  if (go_on()) e.steps.push_back(node(s, now));
  if (go_on()) e.steps.push_back(sandbox(s, pod, now));
  if (go_on() && !pod["spec"]["initContainers"].empty()) e.steps.push_back(init_containers(pod));
  if (go_on()) e.steps.push_back(containers(s, pod, now));
  if (go_on()) e.steps.push_back(readiness(s, pod, now));
  const Step& last = e.steps.back();
  if (e.steps.front().name == "deleted") e.verdict = name + " is being deleted";
  else if (last.taken == Taken::kYes) e.verdict = name + " runs and is ready";
  else e.verdict = fmt::format("{} is {}: {}", name, phase == "Running" ? "Running but not ready" : phase, last.says);
  return e;
}

std::string as_text(const Explanation& e) {
  std::string out = e.verdict + "\n";
  for (const Step& step : e.steps) {
    out += fmt::format("  {} {:<16} {}\n", step.taken == Taken::kYes ? "+" : step.taken == Taken::kFailed ? "x" : "-", step.name, step.says);
    for (const auto& line : step.more) out += fmt::format("      {}\n", line);
  }
  return out;
}

json::Value as_json(const Explanation& e) {
  Value steps = Value::array();
  for (const Step& step : e.steps) {
    Value more = Value::array();
    for (const auto& line : step.more) more.push(line);
    steps.push(Value::object({{"name", step.name}, {"taken", step.taken == Taken::kYes}, {"says", step.says}, {"because", std::move(more)}}));
  }
  return Value::object({{"verdict", e.verdict}, {"steps", std::move(steps)}});
}

}  // namespace lotse::ops
