// Which ReplicaSets belong to a Deployment, which one is the new one, and their revision annotations.
#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/ids.h"
#include "core/control/conditions.h"
#include "core/control/deployment/rollout.h"

namespace lotse::control::deployment {
namespace {
int64_t number(std::string_view text) {
  int64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

json::Value without_hash(json::Value pod_template) {
  if (json::Value* labels = pod_template["metadata"].find("labels")) {
    labels->erase(kTemplateHash);
    if (labels->empty()) pod_template["metadata"].erase("labels");
  }
  if (std::as_const(pod_template)["metadata"].empty())
    pod_template.erase("metadata");
  else
    pod_template["metadata"].erase("creationTimestamp");
  if (std::as_const(pod_template)["metadata"].empty()) pod_template.erase("metadata");
  return pod_template;
}

// The Deployment's annotations go onto its sets, except these.
bool copied(std::string_view annotation) {
  static const std::set<std::string_view> kOwn = {"kubectl.kubernetes.io/last-applied-configuration",
                                                  kRevision,
                                                  kRevisionHistory,
                                                  kDesiredReplicas,
                                                  kMaxReplicas,
                                                  "deprecated.deployment.rollback.to"};
  return !kOwn.contains(annotation);
}
}  // namespace

int64_t Set::revision() const {
  return number(value["metadata"]["annotations"][kRevision].str());
}

bool same_template(const json::Value& a, const json::Value& b) {
  return without_hash(a) == without_hash(b);
}

std::string template_hash(const json::Value& pod_template, int64_t collisions) {
  std::string text = json::write(without_hash(pod_template)) + (collisions ? std::to_string(collisions) : "");
  uint64_t h = hash64(text);
  uint32_t folded = static_cast<uint32_t>(h ^ (h >> 32));
  static constexpr std::string_view kSafe = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (char c : std::to_string(folded)) out += kSafe[static_cast<size_t>(c) % kSafe.size()];
  return out;
}

void Rollout::claim() {
  auto selector = LabelSelector::from_value(v_["spec"]["selector"]);
  if (!selector.ok()) return;
  const std::string& uid = deployment_->header().uid;
  const bool deleting = deployment_->header().deletion != WallTime{};
  std::vector<ObjectPtr> mine;
  for (const ObjectPtr& rs : view_.owned_by(uid, kReplicaSets.name())) {
    const OwnerRef* owner = rs->header().controller();
    if (!owner || owner->uid != uid) continue;
    if (selector->matches(rs->header().labels))
      mine.push_back(rs);
    else if (!deleting)
      out_.actions.push_back(release(kReplicaSets, *rs, *deployment_));
  }
  if (!deleting)
    for (const ObjectPtr& rs : view_.list(kReplicaSets.name(), deployment_->header().ns, *selector)) {
      if (rs->header().controller() || rs->header().deletion != WallTime{}) continue;
      out_.actions.push_back(adopt(kReplicaSets, *rs, controller_ref(kDeployments, *deployment_)));
    }
  std::sort(mine.begin(), mine.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
    if (a->header().created != b->header().created) return a->header().created < b->header().created;
    return a->header().name < b->header().name;
  });
  for (const ObjectPtr& rs : mine) sets_.push_back(std::make_unique<Set>(Set{rs, rs->value()}));
}

void Rollout::find_new_set() {
  for (const auto& s : sets_)
    if (same_template(s->value["spec"]["template"], v_["spec"]["template"])) {
      new_set_ = s.get();  // the oldest of several, so that all controllers choose alike
      return;
    }
}

std::vector<Set*> Rollout::old_sets(bool active_only) const {
  std::vector<Set*> out;
  for (const auto& s : sets_)
    if (!is_new(s.get()) && (!active_only || s->wanted() > 0)) out.push_back(s.get());
  return out;
}

bool Rollout::annotate(Set* set, bool fresh) {
  int64_t highest = 0;
  for (const Set* s : old_sets(false)) highest = std::max(highest, s->revision());
  json::Value& all = set->value["metadata"]["annotations"];
  const json::Value before = all;
  for (const auto& [key, value] : std::as_const(v_)["metadata"]["annotations"].members())
    if (copied(key)) all.set(key, value);
  const int64_t had = number(before[kRevision].str());
  if (had < highest + 1) {
    if (had > 0) {
      std::string history(before[kRevisionHistory].str());
      all.set(kRevisionHistory, history.empty() ? std::to_string(had) : history + "," + std::to_string(had));
    }
    all.set(kRevision, std::to_string(highest + 1));
  }
  if (fresh) set_annotated_replicas(set);
  return all != before;
}

void Rollout::set_annotated_replicas(Set* set) {
  json::Value& all = set->value["metadata"]["annotations"];
  all.set(kDesiredReplicas, std::to_string(want()));
  all.set(kMaxReplicas, std::to_string(want() + limits(v_).surge));
}

bool Rollout::set_deployment_revision(const std::string& revision) {
  if (std::as_const(v_)["metadata"]["annotations"][kRevision].str() == revision) return false;
  v_["metadata"]["annotations"].set(kRevision, revision);
  return true;
}

// True: what was asked for changes things; the rest comes when it is there.
bool Rollout::sync_new_set(bool create_it) {
  if (!new_set_) return create_it && create_new_set();
  json::Value before = new_set_->value;
  bool changed = annotate(new_set_, false);
  const json::Value& min_ready = std::as_const(v_)["spec"]["minReadySeconds"];
  if (min_ready.integer() != std::as_const(new_set_->value)["spec"]["minReadySeconds"].integer()) {
    new_set_->value["spec"].set("minReadySeconds", min_ready.integer());
    changed = true;
  }
  if (changed) {
    out_.actions.push_back(update(kReplicaSets, new_set_->value));
    return true;
  }
  if (set_deployment_revision(
          std::string(std::as_const(new_set_->value)["metadata"]["annotations"][kRevision].str()))) {
    out_.actions.push_back(update(kDeployments, v_));
    return true;
  }
  if (has_deadline() && !find_condition(std::as_const(v_)["status"], "Progressing")) {
    set_condition(&v_["status"], "Progressing", "True", "FoundNewReplicaSet",
                  "Found new replica set \"" + new_set_->name() + "\"", now_, true);
  }
  return false;
}

bool Rollout::create_new_set() {
  const int64_t collisions = std::as_const(v_)["status"]["collisionCount"].integer();
  const std::string hash = template_hash(std::as_const(v_)["spec"]["template"], collisions);
  const std::string name = deployment_->header().name + "-" + hash;
  if (view_.get(kReplicaSets.name(), deployment_->header().ns, name)) {
    // Somebody else's, or ours of another template: the next hash is another one.
    v_["status"].set("collisionCount", collisions + 1);
    out_.actions.push_back(update(kDeployments, v_, "status"));
    return true;
  }
  Set made;
  json::Value& rs = made.value;
  rs["metadata"].set("name", name);
  rs["metadata"].set("ownerReferences", json::Value::array({controller_ref(kDeployments, *deployment_)}));
  json::Value pods = std::as_const(v_)["spec"]["template"];
  pods["metadata"]["labels"].set(kTemplateHash, hash);
  rs["metadata"].set("labels", std::as_const(pods)["metadata"]["labels"]);
  json::Value selector = std::as_const(v_)["spec"]["selector"];
  selector["matchLabels"].set(kTemplateHash, hash);
  const int64_t replicas = new_set_replicas();
  rs["spec"].set("replicas", replicas).set("selector", std::move(selector)).set("template", std::move(pods));
  if (int64_t min_ready = std::as_const(v_)["spec"]["minReadySeconds"].integer())
    rs["spec"].set("minReadySeconds", min_ready);
  annotate(&made, true);
  out_.actions.push_back(create(kReplicaSets, deployment_->header().ns, rs));
  if (replicas > 0)
    out_.actions.push_back(event(deployment_, "Normal", "ScalingReplicaSet",
                                 "Scaled up replica set " + name + " from 0 to " + std::to_string(replicas)));
  const std::string revision(std::as_const(rs)["metadata"]["annotations"][kRevision].str());
  if (set_deployment_revision(revision)) {
    json::Value patch;
    patch["metadata"]["annotations"].set(kRevision, revision);
    out_.actions.push_back(
        merge_patch(kDeployments, deployment_->header().ns, deployment_->header().name, std::move(patch)));
  }
  if (has_deadline()) {
    // As a patch: the resourceVersion at hand has just become an old one.
    json::Value status = std::as_const(v_)["status"];
    if (set_condition(&status, "Progressing", "True", "NewReplicaSetCreated",
                      "Created new replica set \"" + name + "\"", now_, true)) {
      json::Value patch;
      patch["status"].set("conditions", std::as_const(status)["conditions"]);
      out_.actions.push_back(
          merge_patch(kDeployments, deployment_->header().ns, deployment_->header().name, std::move(patch), "status"));
    }
  }
  return true;
}

void Rollout::clean_up() {
  if (std::as_const(v_)["spec"]["revisionHistoryLimit"].is_null()) return;
  const int64_t keep = std::as_const(v_)["spec"]["revisionHistoryLimit"].integer();
  if (keep == INT32_MAX) return;
  std::vector<Set*> old = old_sets(false);
  std::erase_if(old, [](const Set* s) { return s->deleting(); });
  if (static_cast<int64_t>(old.size()) <= keep) return;
  std::stable_sort(old.begin(), old.end(), [](const Set* a, const Set* b) { return a->revision() < b->revision(); });
  old.resize(old.size() - static_cast<size_t>(keep));
  for (const Set* s : old) {
    const bool empty = s->status("replicas") == 0 && s->wanted() == 0;
    if (!empty || s->value["metadata"]["generation"].integer() > s->status("observedGeneration")) continue;
    out_.actions.push_back(remove(kReplicaSets, *s->object, "Background"));
  }
}

}  // namespace lotse::control::deployment
