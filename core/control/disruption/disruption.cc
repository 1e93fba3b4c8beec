#include "core/control/disruption/disruption.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/control/action.h"
#include "core/control/conditions.h"

namespace lotse::control {
namespace {
constexpr Duration kEvictionLasts = std::chrono::minutes(2);

int64_t percent_of(std::string_view text, int64_t total) {
  int64_t percent = 0;
  std::from_chars(text.data(), text.data() + text.size(), percent);
  return (percent * total + 99) / 100;
}

// How many pods the controllers of these pods want together; nothing if one has no controller that is known.
std::optional<int64_t> expected(const std::vector<ObjectPtr>& pods, const View& view, std::string* why) {
  std::set<std::string> counted;
  int64_t sum = 0;
  for (const ObjectPtr& pod : pods) {
    const OwnerRef* owner = pod->header().controller();
    ObjectPtr set =
        owner && owner->kind == "ReplicaSet" ? view.get(kReplicaSets.name(), pod->header().ns, owner->name) : nullptr;
    if (!set || set->header().uid != owner->uid) {
      *why = "found no controller ref for pod \"" + pod->header().name + "\"";
      return std::nullopt;
    }
    ObjectPtr scaled = set;
    if (const OwnerRef* above = set->header().controller(); above && above->kind == "Deployment")
      if (ObjectPtr d = view.get(kDeployments.name(), set->header().ns, above->name);
          d && d->header().uid == above->uid)
        scaled = d;
    if (counted.insert(scaled->header().uid).second) sum += scaled->value()["spec"]["replicas"].integer(1);
  }
  return sum;
}
}  // namespace

std::vector<store::ResourceName> DisruptionController::resources() const {
  return {kDisruptionBudgets.name(), kPods.name(), kReplicaSets.name(), kDeployments.name()};
}

std::vector<std::string> DisruptionController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kDisruptionBudgets.name()) return {key_of(event.key)};
  const bool pod = event.key.resource == kPods.name();
  if (pod && event.type == store::Event::Type::kDeleted) facts_.forget(event.object->header().uid);
  std::vector<std::string> keys;
  for (const ObjectPtr& pdb : view.list(kDisruptionBudgets.name(), event.key.ns, LabelSelector::everything())) {
    auto selector = LabelSelector::from_value(pdb->value()["spec"]["selector"]);
    // A scaled workload may concern any budget; there are few.
    if (!pod || (selector.ok() && (selector->matches(event.object->header().labels) ||
                                   (event.previous && selector->matches(event.previous->header().labels)))))
      keys.push_back(key_of(*pdb));
  }
  return keys;
}

Outcome DisruptionController::reconcile(const std::string& key, const View& view, WallTime now) {
  auto [ns, name] = split_key(key);
  ObjectPtr pdb = view.get(kDisruptionBudgets.name(), ns, name);
  if (!pdb || pdb->header().deletion != WallTime{}) return {};
  const json::Value v = pdb->value();
  auto selector = LabelSelector::from_value(v["spec"]["selector"]);
  Outcome out;
  std::vector<ObjectPtr> pods;
  if (selector.ok() && !selector->matches_nothing())
    for (const ObjectPtr& pod : view.list(kPods.name(), ns, *selector))
      if (!facts_.of(*pod).finished()) pods.push_back(pod);

  const json::Value &min = v["spec"]["minAvailable"], &max = v["spec"]["maxUnavailable"];
  int64_t total = static_cast<int64_t>(pods.size()), desired = 0;
  std::string why;
  if (!max.is_null() || min.is_string()) {
    auto sum = expected(pods, view, &why);
    total = sum.value_or(0);
    if (!max.is_null())
      desired = total - (max.is_string() ? percent_of(max.str(), total) : max.integer());
    else
      desired = percent_of(min.str(), total);
  } else {
    desired = min.integer();
  }
  desired = std::max<int64_t>(desired, 0);

  json::Value status = v["status"];
  // Evictions that were allowed but have not been seen yet; they count for two minutes.
  json::Value evicted = json::Value::object();
  std::set<std::string> going;
  for (const auto& [pod, at] : v["status"]["disruptedPods"].members()) {
    auto time = parse_time(at.str());
    ObjectPtr still = view.get(kPods.name(), ns, pod);
    if (!time.ok() || !still || still->header().deletion != WallTime{}) continue;
    if (*time + kEvictionLasts < now) {
      out.actions.push_back(
          event(still, "Warning", "NotDeleted", "Pod was expected by PDB " + key + " to be deleted but it wasn't"));
      continue;
    }
    evicted.set(pod, at);
    going.insert(pod);
    Duration left = *time + kEvictionLasts - now + std::chrono::seconds(1);
    out.again = out.again ? std::min(*out.again, left) : left;
  }
  int64_t healthy = 0;
  for (const ObjectPtr& pod : pods) {
    const PodFacts& f = facts_.of(*pod);
    healthy += f.ready && !f.terminating && !going.contains(pod->header().name);
  }
  const int64_t allowed = total <= 0 || !why.empty() ? 0 : std::max<int64_t>(0, healthy - desired);
  status.set("currentHealthy", healthy)
      .set("desiredHealthy", desired)
      .set("expectedPods", total)
      .set("disruptionsAllowed", allowed);
  status.set("observedGeneration", v["metadata"]["generation"].integer());
  if (evicted.empty())
    status.erase("disruptedPods");
  else
    status.set("disruptedPods", std::move(evicted));
  if (!why.empty()) {
    out.actions.push_back(event(pdb, "Warning", "CalculateExpectedPodCountFailed",
                                "Failed to calculate the number of expected pods: " + why));
    set_condition(&status, "DisruptionAllowed", "False", "SyncFailed", why, now);
  } else {
    set_condition(&status, "DisruptionAllowed", allowed > 0 ? "True" : "False",
                  allowed > 0 ? "SufficientPods" : "InsufficientPods", "", now);
  }
  if (const json::Value* c = find_condition(status, "DisruptionAllowed");
      c && (*c)["observedGeneration"] != v["metadata"]["generation"])
    for (json::Value& made : status["conditions"].array_items())
      made.set("observedGeneration", v["metadata"]["generation"].integer());
  if (status == v["status"]) {
    std::erase_if(out.actions, [](const Action& a) { return a.optional; });  // said already
    return out;
  }
  json::Value changed = v;
  changed.set("status", std::move(status));
  out.actions.insert(out.actions.begin(), update(kDisruptionBudgets, std::move(changed), "status"));
  return out;
}

}  // namespace lotse::control
