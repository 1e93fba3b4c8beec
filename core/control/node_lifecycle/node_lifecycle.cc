#include "core/control/node_lifecycle/node_lifecycle.h"

#include <algorithm>

#include "core/control/action.h"
#include "core/control/conditions.h"

namespace lotse::control {
namespace {
constexpr std::string_view kLeaseNamespace = "kube-node-lease";

std::string ready_status(const json::Value& node) {
  const json::Value* c = find_condition(node["status"], "Ready");
  return c ? std::string((*c)["status"].str()) : "";
}

// What a node says by being alive: its Lease, or the heartbeats in its status.
std::string said(const json::Value& node, const ObjectPtr& lease) {
  std::string out;
  if (lease) out = lease->value()["spec"]["renewTime"].str();
  for (const json::Value& c : node["status"]["conditions"].items()) {
    if (c["status"].str() == "Unknown") continue;  // said by us
    out.append("|").append(c["lastHeartbeatTime"].str());
  }
  return out;
}

// Pods of a node that is not ready are not ready, whatever they said last.
void mark_pods(const std::string& node, const View& view, WallTime now, Outcome* out) {
  for (const ObjectPtr& pod : view.pods_on(node)) {
    json::Value v = pod->value();
    const json::Value* c = find_condition(std::as_const(v)["status"], "Ready");
    if (!c || (*c)["status"].str() != "True") continue;
    json::Value status = std::as_const(v)["status"];
    for (json::Value& condition : status["conditions"].array_items())
      if (std::as_const(condition)["type"].str() == "Ready")
        condition.set("status", "False").set("lastTransitionTime", format_time(now));
    json::Value patch;
    patch["metadata"].set("uid", pod->header().uid);
    patch["status"].set("conditions", std::as_const(status)["conditions"]);
    Action a = merge_patch(kPods, pod->header().ns, pod->header().name, std::move(patch), "status");
    a.accept = {Reason::kNotFound, Reason::kConflict};
    a.batch = 1;
    out->actions.push_back(std::move(a));
    out->actions.push_back(event(pod, "Warning", "NodeNotReady", "Node is not ready"));
  }
}
}  // namespace

std::vector<store::ResourceName> NodeLifecycleController::resources() const {
  return {kNodes.name(), kLeases.name()};
}

bool NodeLifecycleController::all_silent() const {
  return !ready_.empty() && std::none_of(ready_.begin(), ready_.end(), [](auto& e) { return e.second; });
}

std::vector<std::string> NodeLifecycleController::keys(const store::Event& event, const View&) {
  if (event.key.resource == kLeases.name()) {
    if (event.key.ns != kLeaseNamespace || event.type == store::Event::Type::kDeleted) return {};
    return {event.key.name};
  }
  if (event.type == store::Event::Type::kDeleted) {
    seen_.erase(event.key.name);
    ready_.erase(event.key.name);
  } else {
    ready_[event.key.name] = ready_status(event.object->value()) == "True";
  }
  const bool silent = all_silent();
  if (silent == was_silent_) return {event.key.name};
  was_silent_ = silent;
  std::vector<std::string> all;
  for (const auto& [node, ready] : ready_) all.push_back(node);
  return all;
}

bool NodeLifecycleController::judge(const std::string& node, json::Value* v, const View& view, WallTime now,
                                    Outcome* out) {
  ObjectPtr lease = view.get(kLeases.name(), kLeaseNamespace, node);
  auto [it, first] = seen_.try_emplace(node);
  Seen& seen = it->second;
  std::string heard = said(*v, lease);
  if (first || heard != seen.said) {
    seen.ever = seen.ever || lease || !std::as_const(*v)["status"]["conditions"].empty();
    seen.at = now;
    seen.said = std::move(heard);
  }
  const Duration grace = seen.ever ? settings_.grace : settings_.start_grace;
  const Duration silent = now - seen.at;
  if (silent <= grace) {
    out->again = grace - silent + std::chrono::milliseconds(1);
    return false;
  }
  bool changed = false;
  json::Value& status = (*v)["status"];
  for (const char* type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    const json::Value* old = find_condition(status, type);
    if (old && (*old)["status"].str() == "Unknown") continue;
    json::Value heartbeat = old ? (*old)["lastHeartbeatTime"] : std::as_const(*v)["metadata"]["creationTimestamp"];
    changed |=
        old ? set_condition(&status, type, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", now)
            : set_condition(&status, type, "Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.",
                            now);
    for (json::Value& c : status["conditions"].array_items())
      if (std::as_const(c)["type"].str() == type && !heartbeat.is_null()) c.set("lastHeartbeatTime", heartbeat);
  }
  return changed;
}

Outcome NodeLifecycleController::reconcile(const std::string& key, const View& view, WallTime now) {
  ObjectPtr node = view.get(kNodes.name(), "", key);
  if (!node) return {};
  Outcome out;
  json::Value v = node->value();
  const std::string before = ready_status(v);
  if (judge(key, &v, view, now, &out)) {
    json::Value patch;
    patch["status"].set("conditions", std::as_const(v)["status"]["conditions"]);
    // With the version it was judged by: what the node says meanwhile must not be overwritten.
    patch["metadata"].set("resourceVersion", std::to_string(node->revision()));
    out.actions.push_back(merge_patch(kNodes, "", key, std::move(patch), "status"));
    if (before == "True")
      out.actions.push_back(event(node, "Normal", "NodeNotReady", "Node " + key + " status is now: NodeNotReady"));
  }
  const bool ready = ready_status(v) == "True";
  if (!ready && !before.empty()) mark_pods(key, view, now, &out);
  auto taints = taints_for(v, !all_silent(), now);
  const auto& have = std::as_const(v)["spec"]["taints"].items();
  const bool same = taints.size() == have.size() && std::is_permutation(taints.begin(), taints.end(), have.begin());
  if (!same) {
    json::Value patch;
    patch["spec"].set("taints", taints.empty() ? json::Value() : json::Value::array(std::move(taints)));
    // After a status written just now the version is another one; then the next look sets the taints.
    if (out.actions.empty() || out.actions[0].resource != "nodes")
      patch["metadata"].set("resourceVersion", std::to_string(node->revision()));
    else
      return out;
    out.actions.push_back(merge_patch(kNodes, "", key, std::move(patch)));
  }
  return out;
}

}  // namespace lotse::control
