#include "core/control/pod_garbage_collector/pod_garbage_collector.h"

#include "core/control/action.h"
#include "core/control/conditions.h"
#include "core/control/pods.h"
#include "core/object/cursor.h"

namespace lotse::control {
namespace {
constexpr Duration kQuarantine = std::chrono::seconds(40);  // a node may be made anew under its name
constexpr const char* kTerminated = " terminated";          // no pod's key

Outcome drop(const ObjectPtr& pod, const char* message, WallTime now) {
  Outcome out;
  const json::Value v = pod->value();
  const std::string_view phase = v["status"]["phase"].str();
  if (phase != "Succeeded" && phase != "Failed") {
    json::Value status = v["status"], patch;
    set_condition(&status, "DisruptionTarget", "True", "DeletionByPodGC", message, now);
    patch["metadata"].set("uid", pod->header().uid);
    patch["status"].set("phase", "Failed").set("conditions", std::as_const(status)["conditions"]);
    out.actions.push_back(merge_patch(kPods, pod->header().ns, pod->header().name, std::move(patch), "status"));
    out.actions.back().accept = {Reason::kNotFound};
  }
  out.actions.push_back(remove_now(kPods, *pod));
  return out;
}

// The operator says that the node is off and nothing runs there any more.
bool out_of_service(const ObjectPtr& node) {
  if (!node) return false;
  const json::Value v = node->value();
  const json::Value* ready = find_condition(v["status"], "Ready");
  if (ready && (*ready)["status"].str() == "True") return false;
  for (const json::Value& t : v["spec"]["taints"].items())
    if (t["key"].str() == "node.kubernetes.io/out-of-service") return true;
  return false;
}
}  // namespace

std::vector<store::ResourceName> PodGarbageCollector::resources() const {
  return {kPods.name(), kNodes.name()};
}

std::vector<std::string> PodGarbageCollector::keys(const store::Event& event, const View& view) {
  std::vector<std::string> keys;
  if (event.key.resource == kNodes.name()) {
    const bool gone = event.type == store::Event::Type::kDeleted;
    if (!gone) node_missed_.erase(event.key.name);
    if (gone || out_of_service(event.object))
      for (const ObjectPtr& pod : view.pods_on(event.key.name)) keys.push_back(key_of(*pod));
    return keys;
  }
  const std::string key = key_of(event.key);
  if (auto it = terminated_since_.find(key); it != terminated_since_.end()) {
    terminated_.erase({it->second, key});
    terminated_since_.erase(it);
  }
  if (event.type == store::Event::Type::kDeleted) return {};
  const ObjectHeader& h = event.object->header();
  if (const auto phase = find_raw(event.object->bytes(), "status.phase"); phase == "\"Succeeded\"" || phase == "\"Failed\"") {
    terminated_.insert({h.created, key});
    terminated_since_[key] = h.created;
    if (terminated_.size() > terminated_max_) keys.push_back(kTerminated);
  }
  const bool deleting = h.deletion != WallTime{};
  if (h.node_name.empty() ? deleting : deleting || !view.get(kNodes.name(), "", h.node_name)) keys.push_back(key);
  return keys;
}

Outcome PodGarbageCollector::drop_terminated(const View& view) {
  Outcome out;
  size_t over = terminated_.size() > terminated_max_ ? terminated_.size() - terminated_max_ : 0;
  for (auto it = terminated_.begin(); over > 0 && it != terminated_.end() && out.actions.size() < 500; ++it, --over) {
    auto [ns, name] = split_key(it->second);
    if (ObjectPtr pod = view.get(kPods.name(), ns, name)) out.actions.push_back(remove_now(kPods, *pod));
  }
  return out;
}

Outcome PodGarbageCollector::reconcile(const std::string& key, const View& view, WallTime now) {
  if (key == kTerminated) return drop_terminated(view);
  auto [ns, name] = split_key(key);
  ObjectPtr pod = view.get(kPods.name(), ns, name);
  if (!pod) return {};
  const std::string& on = pod->header().node_name;
  const bool deleting = pod->header().deletion != WallTime{};
  if (on.empty()) {
    if (!deleting) return {};
    Outcome out;
    out.actions.push_back(remove_now(kPods, *pod));
    return out;
  }
  ObjectPtr node = view.get(kNodes.name(), "", on);
  if (node) {
    if (deleting && out_of_service(node))
      return drop(pod, "PodGC: pod is being deleted and its node is out of service", now);
    return {};
  }
  WallTime since = node_missed_.emplace(on, now).first->second;
  if (since + kQuarantine > now) {
    Outcome out;
    out.again = since + kQuarantine - now;
    return out;
  }
  return drop(pod, "PodGC: node no longer exists", now);
}

}  // namespace lotse::control
