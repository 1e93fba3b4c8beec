#include "tests/unit/control/cluster.h"

#include <algorithm>

namespace lotse::control {
namespace {
store::Key key_for(const Action& a) {
  return {a.group.empty() ? a.resource : a.resource + "." + a.group, a.ns, a.name};
}
}  // namespace

store::ResourceName resource_of(const json::Value& object) {
  static const std::map<std::string_view, Kind> kKinds = [] {
    std::map<std::string_view, Kind> all;
    for (const Kind& k : {kNamespaces, kNodes, kPods, kServices, kEndpoints, kConfigMaps, kServiceAccounts,
                          kEndpointSlices, kLeases, kDeployments, kReplicaSets, kDisruptionBudgets, kEvents,
                          kResourceQuotas, kClusterRoles})
      all.emplace(k.kind, k);
    return all;
  }();
  return kKinds.at(object["kind"].str()).name();
}

ObjectPtr Cluster::get(const store::ResourceName& resource, std::string_view ns, std::string_view name) const {
  auto it = objects_.find({resource, std::string(ns), std::string(name)});
  return it == objects_.end() ? nullptr : it->second;
}

std::vector<ObjectPtr> Cluster::list(const store::ResourceName& resource, std::string_view ns,
                                     const LabelSelector& labels) const {
  std::vector<ObjectPtr> out;
  for (const auto& [key, object] : objects_)
    if (key.resource == resource && (ns.empty() || key.ns == ns) && labels.matches(object->header().labels))
      out.push_back(object);
  return out;
}

std::vector<ObjectPtr> Cluster::owned_by(std::string_view uid, const store::ResourceName& resource) const {
  std::vector<ObjectPtr> out;
  for (const auto& [key, object] : objects_)
    for (const OwnerRef& o : object->header().owners)
      if (o.uid == uid && (resource.empty() || key.resource == resource)) {
        out.push_back(object);
        break;
      }
  return out;
}

std::vector<ObjectPtr> Cluster::pods_on(std::string_view node) const {
  std::vector<ObjectPtr> out;
  for (const auto& [key, object] : objects_)
    if (key.resource == "pods" && object->header().node_name == node) out.push_back(object);
  return out;
}

void Cluster::add(std::unique_ptr<Controller> controller) {
  Worker& w = workers_.emplace_back();
  w.controller = std::move(controller);
  for (const std::string& key : w.controller->initial_keys()) w.queue.add(key);
  const auto follows = w.controller->resources();
  for (const auto& [key, object] : objects_)
    if (std::count(follows.begin(), follows.end(), key.resource))
      for (const std::string& k :
           w.controller->keys({store::Event::Type::kAdded, object->revision(), key, object, nullptr}, *this))
        w.queue.add(k);
}

void Cluster::tell(store::Event event) {
  for (Worker& w : workers_) {
    const auto follows = w.controller->resources();
    if (!std::count(follows.begin(), follows.end(), event.key.resource)) continue;
    for (const std::string& key : w.controller->keys(event, *this)) w.queue.add(key);
  }
}

void Cluster::commit(const store::Key& key, json::Value value) {
  ObjectPtr& slot = objects_[key];
  ObjectPtr old = slot;
  ObjectPtr made = Object::from_value(std::move(value), revision_ + 1);
  if (old && old->bytes() == made->bytes()) return;
  ++revision_;
  slot = made;
  tell({old ? store::Event::Type::kModified : store::Event::Type::kAdded, revision_, key, made, old});
}

void Cluster::erase(const store::Key& key) {
  ObjectPtr old = objects_.at(key);
  objects_.erase(key);
  tell({store::Event::Type::kDeleted, ++revision_, key, old, old});
}

// Gone once it is being deleted and nobody holds on to it.
void Cluster::finish(const store::Key& key, json::Value value) {
  const json::Value& v = value;
  const bool grace = key.resource == "pods" && v["metadata"]["deletionGracePeriodSeconds"].integer() > 0 &&
                     !v["spec"]["nodeName"].str().empty();
  const bool going = !v["metadata"]["deletionTimestamp"].is_null();
  const bool held = !v["metadata"]["finalizers"].empty() || !v["spec"]["finalizers"].empty() || grace;
  commit(key, std::move(value));
  if (going && !held) erase(key);
}

void Cluster::put(json::Value object) {
  const json::Value& v = object;
  store::Key key{resource_of(v), std::string(v["metadata"]["namespace"].str()),
                 std::string(v["metadata"]["name"].str())};
  ObjectPtr old = get(key.resource, key.ns, key.name);
  json::Value& meta = object["metadata"];
  if (!meta.has("uid")) meta.set("uid", old ? old->header().uid : "uid-" + std::to_string(++uids_));
  if (!meta.has("creationTimestamp")) meta.set("creationTimestamp", format_time(old ? old->header().created : now_));
  if (std::as_const(object)["spec"].is_object()) {
    int64_t generation = old ? old->value()["metadata"]["generation"].integer() : 0;
    const json::Value before = old ? old->value() : json::Value();
    meta.set("generation", old && before["spec"] == std::as_const(object)["spec"] ? generation : generation + 1);
  }
  if (old && !object.has("status")) {
    const json::Value before = old->value();
    if (!before["status"].is_null()) object.set("status", before["status"]);
  }
  finish(key, std::move(object));
}

Status Cluster::create_one(const Action& a) {
  store::Key key = key_for(a);
  json::Value v = a.body;
  if (key.name.empty())
    key.name = std::string(std::as_const(v)["metadata"]["generateName"].str()) + std::to_string(++uids_);
  if (get(key.resource, key.ns, key.name)) return Status::already_exists(a.group, a.resource, key.name);
  v["metadata"].set("name", key.name);
  put(std::move(v));
  return {};
}

Status Cluster::update_one(const Action& a) {
  store::Key key = key_for(a);
  ObjectPtr old = get(key.resource, key.ns, key.name);
  if (!old) return Status::not_found(a.group, a.resource, a.name);
  std::string_view expected = a.body["metadata"]["resourceVersion"].str();
  if (!expected.empty() && expected != std::to_string(old->revision()))
    return Status::conflict(a.group, a.resource, a.name, "changed");
  json::Value v = a.body;
  const json::Value before = old->value();
  if (a.subresource == "status") {
    json::Value status = std::as_const(v)["status"];
    v = before;
    v.set("status", std::move(status));
  } else if (a.subresource != "finalize") {
    if (before["status"].is_null())
      v.erase("status");
    else
      v.set("status", before["status"]);
  }
  put(std::move(v));
  return {};
}

Status Cluster::patch_one(const Action& a) {
  store::Key key = key_for(a);
  ObjectPtr old = get(key.resource, key.ns, key.name);
  if (!old) return Status::not_found(a.group, a.resource, a.name);
  json::Value v = old->value(), patch = a.body;
  if (a.content_type == "application/strategic-merge-patch+json") {
    // Owner references are merged by uid.
    const json::Value changes = std::as_const(patch)["metadata"]["ownerReferences"];
    if (patch["metadata"].has("ownerReferences")) {
      json::Value owners = json::Value::array();
      for (const json::Value& o : std::as_const(v)["metadata"]["ownerReferences"].items())
        if (std::none_of(changes.items().begin(), changes.items().end(),
                         [&](auto& c) { return c["uid"].str() == o["uid"].str(); }))
          owners.push(o);
      for (const json::Value& c : changes.items())
        if (c["$patch"].str() != "delete") owners.push(c);
      patch["metadata"].set("ownerReferences", owners);
    }
  }
  put(json::merge_patch(std::move(v), patch));
  return {};
}

Status Cluster::delete_one(const Action& a) {
  store::Key key = key_for(a);
  ObjectPtr old = get(key.resource, key.ns, key.name);
  if (!old) return Status::not_found(a.group, a.resource, a.name);
  std::string_view uid = a.body["preconditions"]["uid"].str();
  if (!uid.empty() && uid != old->header().uid) return Status::conflict(a.group, a.resource, a.name, "another uid");
  json::Value v = old->value();
  const json::Value& grace = a.body["gracePeriodSeconds"];
  if (key.resource == "pods")
    v["metadata"].set(
        "deletionGracePeriodSeconds",
        grace.is_null() ? std::as_const(v)["spec"]["terminationGracePeriodSeconds"].integer(30) : grace.integer());
  if (!v["metadata"].has("deletionTimestamp")) v["metadata"].set("deletionTimestamp", format_time(now_));
  std::string_view policy = a.body["propagationPolicy"].str();
  if (policy == "Foreground" || policy == "Orphan") {
    const char* finalizer = policy == "Orphan" ? "orphan" : "foregroundDeletion";
    v["metadata"]["finalizers"].push(finalizer);
  }
  if (key.resource == "namespaces") v["status"].set("phase", "Terminating");
  finish(key, std::move(v));
  return {};
}

Status Cluster::request(const Action& a) {
  std::string full = describe(a);
  for (auto& [what, refusal] : refusals_)
    if (refusal.second > 0 && full.starts_with(what)) {
      --refusal.second;
      return Status(refusal.first, "refused: " + what);
    }
  switch (a.verb) {
    case api::Verb::kCreate:
      if (a.resource == "events") return {};
      return create_one(a);
    case api::Verb::kUpdate:
      return update_one(a);
    case api::Verb::kPatch:
      return patch_one(a);
    case api::Verb::kDelete:
      return delete_one(a);
    case api::Verb::kDeleteCollection:
      for (const ObjectPtr& o :
           list(a.group.empty() ? a.resource : a.resource + "." + a.group, a.ns, LabelSelector::everything())) {
        Action one = a;
        one.verb = api::Verb::kDelete, one.name = o->header().name;
        (void)delete_one(one);
      }
      return {};
    default:
      return Status(Reason::kMethodNotAllowed, "not here");
  }
}

std::string Cluster::run() {
  std::string log;
  for (int turns = 0; turns < 2000; ++turns) {
    bool any = false;
    for (Worker& w : workers_) {
      auto key = w.queue.take(steady_);
      if (!key) continue;
      any = true;
      Outcome out = w.controller->reconcile(*key, *this, now_);
      const std::string who = std::string(w.controller->name()) + ": ";
      std::string events;
      bool failed = false;
      for (const Action& a : out.actions) {
        if (a.optional) {
          if (log_events) events += who + describe(a) + "\n";
          continue;
        }
        Status s = request(a);
        bool fine = s.ok() || std::count(a.accept.begin(), a.accept.end(), s.reason);
        log += who + describe(a) + (s.ok() ? "" : " -> " + std::string(reason_name(s.reason))) + "\n";
        if (fine) continue;
        for (const Action& then : w.controller->failed(*key, a, s, *this, now_)) {
          log += who + describe(then) + "\n";
          (void)request(then);
        }
        failed = true;
        break;
      }
      if (failed) {
        w.queue.failed(*key, steady_);
        continue;
      }
      log += events;
      w.queue.done(*key);
      if (out.again) w.queue.add_at(*key, steady_ + *out.again);
    }
    if (!any) return log;
  }
  return log + "THIS NEVER ENDS\n";
}

}  // namespace lotse::control
