#include "core/control/replicaset/replicaset.h"

#include <algorithm>
#include <bit>
#include <map>

#include "core/control/action.h"
#include "core/control/conditions.h"

namespace lotse::control {
namespace {
constexpr size_t kBurst = 500;  // changes of one reconcile

json::Value pod_from_template(const ObjectPtr& rs, const json::Value& v, const std::string& name) {
  const json::Value& meta = v["spec"]["template"]["metadata"];
  json::Value pod;
  for (const char* field : {"labels", "annotations", "finalizers"})
    if (!meta[field].is_null()) pod["metadata"].set(field, meta[field]);
  pod["metadata"].set("generateName", rs->header().name + "-").set("name", name);
  pod["metadata"].set("ownerReferences", json::Value::array({controller_ref(kReplicaSets, *rs)}));
  pod.set("spec", v["spec"]["template"]["spec"]);
  return pod;
}
}  // namespace

struct ReplicaSetController::Step {
  ReplicaSetController& self;
  const View& view;
  WallTime now;
  ObjectPtr rs;
  const json::Value v;
  std::vector<ObjectPtr> pods;  // owned and active
  int64_t terminating = 0;
  Outcome out;

  const PodFacts& facts(const ObjectPtr& pod) { return self.facts_.of(*pod); }
  void claim();
  void scale();
  void make(int64_t count);
  void drop(size_t count);
  bool less_missed(const ObjectPtr& a, const ObjectPtr& b, const std::map<std::string, int>& crowd);
  std::map<std::string, int> crowds();
  void write_status();
};

ReplicaSetController::ReplicaSetController(std::function<std::string()> suffix) : suffix_(std::move(suffix)) {}

std::vector<store::ResourceName> ReplicaSetController::resources() const {
  return {kReplicaSets.name(), kPods.name()};
}

std::vector<std::string> replicasets_selecting(const Object& pod, const View& view) {
  std::vector<std::string> keys;
  for (const ObjectPtr& rs : view.list(kReplicaSets.name(), pod.header().ns, LabelSelector::everything())) {
    auto selector = LabelSelector::from_value(rs->value()["spec"]["selector"]);
    if (selector.ok() && !selector->empty() && selector->matches(pod.header().labels)) keys.push_back(key_of(*rs));
  }
  return keys;
}

std::vector<std::string> ReplicaSetController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kReplicaSets.name()) return {key_of(event.key)};
  std::vector<std::string> keys;
  if (event.type == store::Event::Type::kDeleted) facts_.forget(event.object->header().uid);
  auto add = [&](const ObjectPtr& pod) {
    const OwnerRef* owner = pod ? pod->header().controller() : nullptr;
    if (owner && owner->kind == kReplicaSets.kind) keys.push_back(pod->header().ns + "/" + owner->name);
  };
  add(event.object);
  add(event.previous);
  if (event.object && !event.object->header().controller() && event.type != store::Event::Type::kDeleted)
    for (std::string& key : replicasets_selecting(*event.object, view)) keys.push_back(std::move(key));
  return keys;
}

void ReplicaSetController::Step::claim() {
  auto selector = LabelSelector::from_value(v["spec"]["selector"]);
  if (!selector.ok()) return;
  const std::string& uid = rs->header().uid;
  const bool deleting = rs->header().deletion != WallTime{};
  auto take = [&](const ObjectPtr& pod) {
    if (facts(pod).terminating && !facts(pod).finished()) ++terminating;
    if (facts(pod).active()) pods.push_back(pod);
  };
  for (const ObjectPtr& pod : view.owned_by(uid, kPods.name())) {
    const OwnerRef* owner = pod->header().controller();
    if (!owner || owner->uid != uid) continue;
    if (selector->matches(pod->header().labels))
      take(pod);
    else if (!deleting && facts(pod).active())
      out.actions.push_back(release(kPods, *pod, *rs));
  }
  if (deleting) return;
  for (const ObjectPtr& pod : view.list(kPods.name(), rs->header().ns, *selector)) {
    if (pod->header().controller() || !facts(pod).active()) continue;
    out.actions.push_back(adopt(kPods, *pod, controller_ref(kReplicaSets, *rs)));
    take(pod);
  }
}

// One, then two, then four at a time: where the first is refused (a quota), the others are not tried.
void ReplicaSetController::Step::make(int64_t count) {
  int batch = 1;
  for (int64_t size = 1; count > 0; size *= 2, ++batch)
    for (int64_t i = 0; i < size && count > 0; ++i, --count) {
      std::string name = rs->header().name + "-" + self.suffix_();
      Action a = create(kPods, rs->header().ns, pod_from_template(rs, v, name));
      a.batch = batch;
      out.actions.push_back(std::move(a));
      out.actions.push_back(event(rs, "Normal", "SuccessfulCreate", "Created pod: " + name));
    }
}

// How many pods of this ReplicaSet and its siblings (of one Deployment) each node has.
std::map<std::string, int> ReplicaSetController::Step::crowds() {
  std::map<std::string, int> crowd;
  std::vector<ObjectPtr> family{rs};
  if (const OwnerRef* owner = rs->header().controller()) family = view.owned_by(owner->uid, kReplicaSets.name());
  for (const ObjectPtr& sibling : family)
    for (const ObjectPtr& pod : view.owned_by(sibling->header().uid, kPods.name()))
      if (facts(pod).active() && !facts(pod).node.empty()) ++crowd[facts(pod).node];
  return crowd;
}

// Upstream's ActivePodsWithRanks: true if a goes before b.
bool ReplicaSetController::Step::less_missed(const ObjectPtr& pa, const ObjectPtr& pb,
                                             const std::map<std::string, int>& crowd) {
  const PodFacts &a = facts(pa), &b = facts(pb);
  if (a.node.empty() != b.node.empty()) return a.node.empty();
  auto phase = [](const PodFacts& f) { return f.phase == "Pending" ? 0 : f.phase == "Unknown" ? 1 : 2; };
  if (phase(a) != phase(b)) return phase(a) < phase(b);
  if (a.ready != b.ready) return !a.ready;
  if (a.deletion_cost != b.deletion_cost) return a.deletion_cost < b.deletion_cost;
  auto crowded = [&](const PodFacts& f) { return f.node.empty() ? 0 : crowd.at(f.node); };
  if (crowded(a) != crowded(b)) return crowded(a) > crowded(b);
  // Times are compared by orders of magnitude, so that it is not always the newest that goes.
  auto magnitude = [&](WallTime t) {
    if (t == WallTime{}) return 0;
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - t).count();
    return seconds <= 0 ? 0 : static_cast<int>(std::bit_width(static_cast<uint64_t>(seconds)));
  };
  if (a.ready && b.ready && magnitude(a.ready_since) != magnitude(b.ready_since))
    return magnitude(a.ready_since) < magnitude(b.ready_since);
  if (a.restarts != b.restarts) return a.restarts > b.restarts;
  if (magnitude(a.created) != magnitude(b.created)) return magnitude(a.created) < magnitude(b.created);
  return pa->header().uid < pb->header().uid;
}

void ReplicaSetController::Step::drop(size_t count) {
  auto crowd = crowds();
  // Adopted just now, so not among the owned ones.
  for (const ObjectPtr& pod : pods)
    if (!facts(pod).node.empty()) crowd.try_emplace(facts(pod).node, 1);
  std::vector<ObjectPtr> order = pods;
  std::sort(order.begin(), order.end(), [&](auto& a, auto& b) { return less_missed(a, b, crowd); });
  order.resize(std::min(count, order.size()));
  for (const ObjectPtr& pod : order) {
    Action a = remove(kPods, *pod);
    a.batch = 1;
    out.actions.push_back(std::move(a));
    out.actions.push_back(event(rs, "Normal", "SuccessfulDelete", "Deleted pod: " + pod->header().name));
  }
}

void ReplicaSetController::Step::scale() {
  const int64_t want = v["spec"]["replicas"].integer(1), have = static_cast<int64_t>(pods.size());
  if (have < want)
    make(std::min<int64_t>(want - have, kBurst));
  else if (have > want)
    drop(std::min<size_t>(static_cast<size_t>(have - want), kBurst));
}

void ReplicaSetController::Step::write_status() {
  const Duration min_ready = std::chrono::seconds(v["spec"]["minReadySeconds"].integer());
  Duration wait = kNever;
  int64_t labelled = 0, ready = 0, available = 0;
  LabelSelector template_labels = LabelSelector::from_map(v["spec"]["template"]["metadata"]["labels"]);
  for (const ObjectPtr& pod : pods) {
    const PodFacts& f = facts(pod);
    labelled += template_labels.matches(pod->header().labels);
    ready += f.ready;
    available += f.available(min_ready, now, &wait);
  }
  if (wait != kNever) out.again = wait;
  json::Value status = v["status"];
  status.set("replicas", static_cast<int64_t>(pods.size()));
  auto number = [&](const char* field, int64_t n) {
    if (n != 0 || status.has(field)) status.set(field, n);
  };
  number("fullyLabeledReplicas", labelled), number("readyReplicas", ready), number("availableReplicas", available);
  number("terminatingReplicas", terminating);
  // Comes last: everything before it went well.
  remove_condition(&status, "ReplicaFailure");
  const int64_t generation = v["metadata"]["generation"].integer();
  status.set("observedGeneration", generation);
  if (status == std::as_const(v)["status"]) return;
  json::Value changed = v;
  changed.set("status", std::move(status));
  out.actions.push_back(update(kReplicaSets, std::move(changed), "status"));
}

Outcome ReplicaSetController::reconcile(const std::string& key, const View& view, WallTime now) {
  auto [ns, name] = split_key(key);
  ObjectPtr rs = view.get(kReplicaSets.name(), ns, name);
  if (!rs) return {};
  Step step{*this, view, now, rs, rs->value(), {}, 0, {}};
  step.claim();
  if (rs->header().deletion == WallTime{}) step.scale();
  step.write_status();
  return std::move(step.out);
}

std::vector<Action> ReplicaSetController::failed(const std::string& key, const Action& action, const Status& why,
                                                 const View& view, WallTime now) {
  auto [ns, name] = split_key(key);
  ObjectPtr rs = view.get(kReplicaSets.name(), ns, name);
  const bool making = action.verb == api::Verb::kCreate, dropping = action.verb == api::Verb::kDelete;
  if (!rs || action.resource != "pods" || (!making && !dropping) || why.reason == Reason::kConflict) return {};
  const char* reason = making ? "FailedCreate" : "FailedDelete";
  std::vector<Action> out;
  out.push_back(event(rs, "Warning", reason, (making ? "Error creating: " : "Error deleting: ") + why.message));
  json::Value v = rs->value();
  if (set_condition(&v["status"], "ReplicaFailure", "True", reason, why.message, now))
    out.push_back(update(kReplicaSets, std::move(v), "status"));
  return out;
}

}  // namespace lotse::control
