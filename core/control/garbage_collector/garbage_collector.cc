#include "core/control/garbage_collector/garbage_collector.h"

#include <algorithm>

#include "core/control/action.h"

namespace lotse::control {
namespace {
constexpr std::string_view kForeground = "foregroundDeletion", kOrphan = "orphan";

std::string key_for(const store::Key& k) {
  return k.resource + "|" + k.ns + "|" + k.name;
}
bool has(const Object& o, std::string_view finalizer) {
  const auto& all = o.header().finalizers;
  return std::find(all.begin(), all.end(), finalizer) != all.end();
}
bool deleting(const Object& o) {
  return o.header().deletion != WallTime{};
}
std::string group_of(const std::string& api_version) {
  size_t slash = api_version.find('/');
  return slash == std::string::npos ? "" : api_version.substr(0, slash);
}
Kind kind_of(const Settings::Resource& r) {
  return {r.group, r.version, r.resource, r.kind};
}
bool same_owners(const std::vector<OwnerRef>& a, const std::vector<OwnerRef>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const OwnerRef& x, const OwnerRef& y) { return x.uid == y.uid; });
}
}  // namespace

struct GarbageCollector::Owners {
  std::vector<std::string> solid, dangling, waiting;  // uids
  bool unknown = false;                               // of a kind that is not known here: hands off
};

GarbageCollector::GarbageCollector(const std::vector<Resource>& resources) {
  for (const Resource& r : resources) {
    store::ResourceName name = r.group.empty() ? r.resource : r.resource + "." + r.group;
    if (name == kEvents.name()) continue;  // they end by themselves
    by_name_.emplace(name, r);
    by_kind_.emplace(std::pair(r.group, r.kind), name);
  }
}

std::vector<store::ResourceName> GarbageCollector::resources() const {
  std::vector<store::ResourceName> out;
  for (const auto& [name, r] : by_name_) out.push_back(name);
  return out;
}

std::vector<std::string> GarbageCollector::keys(const store::Event& event, const View& view) {
  std::vector<std::string> keys;
  const Object& o = *event.object;
  const bool gone = event.type == store::Event::Type::kDeleted;
  auto add_dependents = [&] {
    for (const ObjectPtr& d : view.owned_by(o.header().uid, ""))
      if (auto it = by_kind_.find({group_of(d->header().api_version), d->header().kind}); it != by_kind_.end())
        keys.push_back(key_for({it->second, d->header().ns, d->header().name}));
  };
  if (gone) {
    add_dependents();
    // Whoever waits for its dependents may have waited for this one.
    for (const OwnerRef& owner : o.header().owners)
      if (const Resource* r = owner.block_owner_deletion ? resource_of(owner) : nullptr)
        keys.push_back(key_for({by_kind_.at({r->group, r->kind}), r->namespaced ? o.header().ns : "", owner.name}));
    return keys;
  }
  const bool changed = !event.previous || deleting(o) != deleting(*event.previous) ||
                       !same_owners(o.header().owners, event.previous->header().owners) ||
                       o.header().finalizers != event.previous->header().finalizers;
  if (!changed) return {};
  if (!o.header().owners.empty() || (deleting(o) && (has(o, kForeground) || has(o, kOrphan))))
    keys.push_back(key_for(event.key));
  if (deleting(o) && has(o, kForeground)) add_dependents();
  return keys;
}

const Settings::Resource* GarbageCollector::resource_of(const OwnerRef& owner) const {
  auto it = by_kind_.find({group_of(owner.api_version), owner.kind});
  return it == by_kind_.end() ? nullptr : &by_name_.at(it->second);
}

GarbageCollector::Owners GarbageCollector::owners(const Object& dependent, const View& view) const {
  Owners out;
  for (const OwnerRef& ref : dependent.header().owners) {
    const Resource* r = resource_of(ref);
    if (!r) {
      out.unknown = true;
      continue;
    }
    ObjectPtr owner = view.get(by_kind_.at({r->group, r->kind}), r->namespaced ? dependent.header().ns : "", ref.name);
    if (!owner || owner->header().uid != ref.uid)
      out.dangling.push_back(ref.uid);
    else if (deleting(*owner) && has(*owner, kForeground) && ref.block_owner_deletion)
      out.waiting.push_back(ref.uid);
    else
      out.solid.push_back(ref.uid);
  }
  return out;
}

Action GarbageCollector::drop_finalizer(const Resource& resource, const Object& object,
                                        std::string_view finalizer) const {
  json::Value rest = json::Value::array(), patch;
  for (const std::string& f : object.header().finalizers)
    if (f != finalizer) rest.push(f);
  patch["metadata"].set("resourceVersion", std::to_string(object.revision()));
  patch["metadata"].set("finalizers", rest.empty() ? json::Value() : rest);
  Action a = merge_patch(kind_of(resource), object.header().ns, object.header().name, std::move(patch));
  a.accept = {Reason::kNotFound};
  return a;
}

Action GarbageCollector::strip_owners(const Resource& resource, const Object& object,
                                      const std::vector<std::string>& uids) const {
  json::Value rest = json::Value::array(), patch;
  const json::Value v = object.value();
  for (const json::Value& owner : v["metadata"]["ownerReferences"].items())
    if (std::find(uids.begin(), uids.end(), owner["uid"].str()) == uids.end()) rest.push(owner);
  patch["metadata"].set("resourceVersion", std::to_string(object.revision())).set("uid", object.header().uid);
  patch["metadata"].set("ownerReferences", rest.empty() ? json::Value() : rest);
  Action a = merge_patch(kind_of(resource), object.header().ns, object.header().name, std::move(patch));
  a.accept = {Reason::kNotFound};
  return a;
}

void GarbageCollector::orphan_dependents(const Resource& resource, const Object& object, const View& view,
                                         Outcome* out) const {
  for (const ObjectPtr& d : view.owned_by(object.header().uid, ""))
    if (auto it = by_kind_.find({group_of(d->header().api_version), d->header().kind}); it != by_kind_.end()) {
      out->actions.push_back(strip_owners(by_name_.at(it->second), *d, {object.header().uid}));
      out->actions.back().batch = 1;
    }
  out->actions.push_back(drop_finalizer(resource, object, kOrphan));
}

// Dependents first; the owner goes when none is left that blocks it.
void GarbageCollector::foreground(const Resource& resource, const Object& object, const View& view,
                                  Outcome* out) const {
  for (const ObjectPtr& d : view.owned_by(object.header().uid, "")) {
    const auto& refs = d->header().owners;
    if (std::any_of(refs.begin(), refs.end(),
                    [&](auto& r) { return r.uid == object.header().uid && r.block_owner_deletion; }))
      return;
  }
  out->actions.push_back(drop_finalizer(resource, object, kForeground));
}

void GarbageCollector::collect(const Resource& resource, const Object& object, const View& view, Outcome* out) const {
  Owners o = owners(object, view);
  if (o.unknown || (o.dangling.empty() && o.waiting.empty())) return;
  if (!o.solid.empty()) {
    std::vector<std::string> gone = o.dangling;
    gone.insert(gone.end(), o.waiting.begin(), o.waiting.end());
    out->actions.push_back(strip_owners(resource, object, gone));
    return;
  }
  if (deleting(object)) return;
  std::string_view policy = has(object, kOrphan) ? "Orphan" : has(object, kForeground) ? "Foreground" : "Background";
  // Whoever waits wants the whole tree below gone first.
  if (!o.waiting.empty() && !view.owned_by(object.header().uid, "").empty()) policy = "Foreground";
  out->actions.push_back(remove(kind_of(resource), object, policy));
}

Outcome GarbageCollector::reconcile(const std::string& key, const View& view, WallTime) {
  size_t a = key.find('|'), b = key.find('|', a + 1);
  auto it = by_name_.find(key.substr(0, a));
  if (it == by_name_.end()) return {};
  ObjectPtr object = view.get(it->first, key.substr(a + 1, b - a - 1), key.substr(b + 1));
  Outcome out;
  if (!object) return out;
  if (deleting(*object) && has(*object, kOrphan))
    orphan_dependents(it->second, *object, view, &out);
  else if (deleting(*object) && has(*object, kForeground))
    foreground(it->second, *object, view, &out);
  if (out.actions.empty()) collect(it->second, *object, view, &out);
  return out;
}

}  // namespace lotse::control
