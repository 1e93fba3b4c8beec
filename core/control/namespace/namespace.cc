#include "core/control/namespace/namespace.h"

#include <algorithm>
#include <map>

#include "core/control/action.h"
#include "core/control/conditions.h"

namespace lotse::control {
namespace {
store::ResourceName name_of(const Settings::Resource& r) {
  return r.group.empty() ? r.resource : r.resource + "." + r.group;
}
constexpr std::string_view kFinalizer = "kubernetes";

bool terminating(const ObjectPtr& ns) {
  return ns && ns->header().deletion != WallTime{};
}

// What is left, by resource and by finalizer.
void describe_rest(const std::map<std::string, size_t>& by_resource, const std::map<std::string, size_t>& by_finalizer,
                   json::Value* status, WallTime now) {
  auto join = [](const std::map<std::string, size_t>& counts, const char* between) {
    std::string out;
    for (const auto& [what, n] : counts)
      out += (out.empty() ? "" : ", ") + what + between + std::to_string(n) + " resource instances";
    return out;
  };
  set_condition(status, "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
                "All resources successfully discovered", now);
  set_condition(status, "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
                "All legacy kube types successfully parsed", now);
  set_condition(status, "NamespaceDeletionContentFailure", "False", "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization", now);
  if (by_resource.empty())
    set_condition(status, "NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed",
                  now);
  else
    set_condition(status, "NamespaceContentRemaining", "True", "SomeResourcesRemain",
                  "Some resources are remaining: " + join(by_resource, " has "), now);
  if (by_finalizer.empty())
    set_condition(status, "NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers",
                  "All content-preserving finalizers finished", now);
  else
    set_condition(status, "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
                  "Some content in the namespace has finalizers remaining: " + join(by_finalizer, " in "), now);
}
}  // namespace

std::vector<store::ResourceName> NamespaceController::resources() const {
  std::vector<store::ResourceName> out{kNamespaces.name()};
  for (const auto& r : contents_)
    if (r.namespaced) out.push_back(name_of(r));
  return out;
}

std::vector<std::string> NamespaceController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kNamespaces.name()) {
    if (terminating(event.object)) return {event.key.name};
    return {};
  }
  if (terminating(view.get(kNamespaces.name(), "", event.key.ns))) return {event.key.ns};
  return {};
}

Outcome NamespaceController::reconcile(const std::string& key, const View& view, WallTime now) {
  ObjectPtr ns = view.get(kNamespaces.name(), "", key);
  if (!terminating(ns)) return {};
  const json::Value v = ns->value();
  auto finalizers = v["spec"]["finalizers"].items();
  const bool ours = std::any_of(finalizers.begin(), finalizers.end(), [](auto& f) { return f.str() == kFinalizer; });
  if (!ours) return {};

  Outcome out;
  std::map<std::string, size_t> by_resource, by_finalizer;
  for (const auto& r : contents_) {
    if (!r.namespaced) continue;
    auto objects = view.list(name_of(r), key, LabelSelector::everything());
    if (objects.empty()) continue;
    by_resource[r.resource + "." + r.group] = objects.size();
    bool fresh = false;
    for (const ObjectPtr& o : objects) {
      fresh = fresh || o->header().deletion == WallTime{};
      for (const std::string& f : o->header().finalizers) ++by_finalizer[f];
    }
    if (!fresh) continue;
    Kind kind{r.group, r.version, r.resource, r.kind};
    Action a = remove_collection(kind, key);
    a.batch = 1;
    out.actions.push_back(std::move(a));
  }
  json::Value changed = v;
  describe_rest(by_resource, by_finalizer, &changed["status"], now);
  if (std::as_const(changed)["status"] != v["status"]) out.actions.push_back(update(kNamespaces, changed, "status"));
  if (!by_resource.empty()) return out;
  json::Value patch = v;
  patch["metadata"].erase("resourceVersion");  // the status has just been written
  std::erase_if(patch["spec"]["finalizers"].array_items(), [](auto& f) { return f.str() == kFinalizer; });
  Action a = update(kNamespaces, std::move(patch), "finalize");
  a.accept = {Reason::kNotFound};
  out.actions.push_back(std::move(a));
  return out;
}

}  // namespace lotse::control
