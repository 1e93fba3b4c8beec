#include "core/control/taint_eviction/taint_eviction.h"

#include <algorithm>
#include <optional>

#include "core/control/action.h"
#include "core/control/conditions.h"
#include "core/object/cursor.h"

namespace lotse::control {
namespace {
std::vector<json::Value> evicting(const ObjectPtr& node) {
  std::vector<json::Value> out;
  if (!node) return out;
  const auto taints = json::parse(find_raw(node->bytes(), "spec.taints"));
  if (!taints.ok()) return out;
  for (const json::Value& t : taints->items())
    if (t["effect"].str() == "NoExecute") out.push_back(t);
  return out;
}

bool tolerates(const json::Value& toleration, const json::Value& taint) {
  const std::string_view effect = toleration["effect"].str(), key = toleration["key"].str();
  if (!effect.empty() && effect != taint["effect"].str()) return false;
  if (!key.empty() && key != taint["key"].str()) return false;
  if (toleration["operator"].str() == "Exists") return true;
  return !key.empty() && toleration["value"].str() == taint["value"].str();
}

// How long the pod may stay; nothing: for ever.
std::optional<Duration> stay(const json::Value& pod, const std::vector<json::Value>& taints) {
  std::optional<Duration> least;
  for (const json::Value& taint : taints) {
    bool tolerated = false;
    for (const json::Value& t : pod["spec"]["tolerations"].items()) {
      if (!tolerates(t, taint)) continue;
      tolerated = true;
      if (t["tolerationSeconds"].is_null()) continue;
      Duration d = std::chrono::seconds(std::max<int64_t>(0, t["tolerationSeconds"].integer()));
      if (!least || d < *least) least = d;
    }
    if (!tolerated) return Duration(0);
  }
  return least;
}
}  // namespace

std::vector<store::ResourceName> TaintEvictionController::resources() const {
  return {kNodes.name(), kPods.name()};
}

std::vector<std::string> TaintEvictionController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kPods.name()) {
    if (event.type == store::Event::Type::kDeleted) {
      waiting_.erase(key_of(event.key));
      return {};
    }
    if (event.object->header().node_name.empty()) return {};
    // What a pod's status says is of no interest here.
    if (event.previous && !waiting_.contains(key_of(event.key)) &&
        event.previous->header().node_name == event.object->header().node_name)
      return {};
    return {key_of(event.key)};
  }
  if (event.type == store::Event::Type::kDeleted) return {};
  if (event.previous && evicting(event.previous) == evicting(event.object)) return {};
  if (!event.previous && evicting(event.object).empty()) return {};
  std::vector<std::string> keys;
  for (const ObjectPtr& pod : view.pods_on(event.key.name)) keys.push_back(key_of(*pod));
  return keys;
}

Outcome TaintEvictionController::reconcile(const std::string& key, const View& view, WallTime now) {
  auto [ns, name] = split_key(key);
  ObjectPtr pod = view.get(kPods.name(), ns, name);
  Outcome out;
  if (!pod || pod->header().node_name.empty() || pod->header().deletion != WallTime{}) {
    waiting_.erase(key);
    return out;
  }
  std::vector<json::Value> taints = evicting(view.get(kNodes.name(), "", pod->header().node_name));
  if (taints.empty() && !waiting_.contains(key)) return out;
  const json::Value v = pod->value();
  std::optional<Duration> may_stay = taints.empty() ? std::nullopt : stay(v, taints);
  if (!may_stay) {
    if (waiting_.erase(key))
      out.actions.push_back(event(pod, "Normal", "TaintManagerEviction", "Cancelling deletion of Pod " + key));
    return out;
  }
  WallTime since = waiting_.emplace(key, now).first->second;
  if (auto added = parse_time(taints[0]["timeAdded"].str()); added.ok() && *added < since) since = *added;
  if (since + *may_stay > now) {
    out.again = since + *may_stay - now;
    return out;
  }
  json::Value status = v["status"], patch;
  if (set_condition(&status, "DisruptionTarget", "True", "DeletionByTaintManager",
                    "Taint manager: deleting due to NoExecute taint", now)) {
    patch["metadata"].set("uid", pod->header().uid);
    patch["status"].set("conditions", std::as_const(status)["conditions"]);
    out.actions.push_back(merge_patch(kPods, ns, name, std::move(patch), "status"));
    out.actions.back().accept = {Reason::kNotFound};
  }
  out.actions.push_back(remove(kPods, *pod));
  out.actions.push_back(event(pod, "Normal", "TaintManagerEviction", "Marking for deletion Pod " + key));
  return out;
}

}  // namespace lotse::control
