// The Node authorizer: a node may touch itself, its lease, the pods on it, and by name what these pods reference
// (Kubernetes' "Using Node Authorization"). Kept as counts of references by node, changed with every change of a pod.
#include <shared_mutex>

#include "core/security/security.h"

namespace lotse::security {
namespace {

constexpr std::string_view kPrefix = "system:node:";

// What a pod makes its node see: "secrets/NAME", "configmaps/NAME", "persistentvolumeclaims/NAME", "serviceaccounts/NAME".
std::vector<std::string> references(const json::Value& pod) {
  std::vector<std::string> out;
  auto add = [&](std::string_view kind, std::string_view name) { if (!name.empty()) out.push_back(std::string(kind) + "/" + std::string(name)); };
  const auto& spec = pod["spec"];
  for (const auto& s : spec["imagePullSecrets"].items()) add("secrets", s["name"].str());
  add("serviceaccounts", spec["serviceAccountName"].str());
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"})
    for (const auto& c : spec[list].items()) {
      for (const auto& from : c["envFrom"].items()) {
        add("configmaps", from["configMapRef"]["name"].str());
        add("secrets", from["secretRef"]["name"].str());
      }
      for (const auto& env : c["env"].items()) {
        add("configmaps", env["valueFrom"]["configMapKeyRef"]["name"].str());
        add("secrets", env["valueFrom"]["secretKeyRef"]["name"].str());
      }
    }
  for (const auto& v : spec["volumes"].items()) {
    add("configmaps", v["configMap"]["name"].str());
    add("secrets", v["secret"]["secretName"].str());
    add("persistentvolumeclaims", v["persistentVolumeClaim"]["claimName"].str());
    for (const auto& source : v["projected"]["sources"].items()) {
      add("configmaps", source["configMap"]["name"].str());
      add("secrets", source["secret"]["name"].str());
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool one_of(std::string_view item, std::initializer_list<std::string_view> list) { return std::find(list.begin(), list.end(), item) != list.end(); }

class NodeAuthorizer : public Authorizer {
 public:
  Decision authorize(const User& user, const Attributes& a) override {
    if (!user.in_group(kGroupNodes) || !user.name.starts_with(kPrefix)) return {Verdict::kNoOpinion, ""};
    std::string node = user.name.substr(kPrefix.size());
    if (!a.is_resource) return {Verdict::kNoOpinion, ""};
    if (allowed(node, a)) return {Verdict::kAllow, ""};
    return {Verdict::kNoOpinion, "no relationship found between node '" + node + "' and this object"};
  }

  // The rules depend on objects, so that they cannot be listed in full.
  json::Value rules(const User& user, std::string_view) override {
    return json::Value::object({{"resourceRules", json::Value::array()}, {"nonResourceRules", json::Value::array()}, {"incomplete", user.in_group(kGroupNodes)}});
  }

  void observe(std::string_view group, std::string_view resource, const ObjectPtr& object, const ObjectPtr& previous) override {
    if (!group.empty() || resource != "pods") return;
    const ObjectPtr& either = object ? object : previous;
    if (!either) return;
    const auto& header = either->header();
    std::string pod = header.ns + "/" + header.name;
    // Most changes of a pod are of its status: its references can only change with its node.
    std::string node = object ? object->header().node_name : std::string();
    std::unique_lock lock(mutex_);
    auto it = pods_.find(pod);
    if (it != pods_.end() && object && it->second.node == node && it->second.uid == header.uid) return;
    if (it != pods_.end()) {
      for (const auto& ref : it->second.references) drop(it->second.node, header.ns, ref);
      pods_.erase(it);
    }
    if (node.empty()) return;
    Pod entry{header.uid, node, references(object->value())};
    for (const auto& ref : entry.references) ++counts_[key(node, header.ns, ref)];
    pods_.emplace(std::move(pod), std::move(entry));
  }

  void retain(std::string_view group, std::string_view resource, const std::set<std::string>& there) override {
    if (!group.empty() || resource != "pods") return;
    std::unique_lock lock(mutex_);
    std::erase_if(pods_, [&](const auto& item) {
      const auto& [at, pod] = item;
      if (there.contains(at)) return false;
      for (const auto& ref : pod.references) drop(pod.node, at.substr(0, at.find('/')), ref);
      return true;
    });
  }

 private:
  struct Pod { std::string uid, node; std::vector<std::string> references; };

  static std::string key(const std::string& node, const std::string& ns, const std::string& ref) { return node + "\n" + ns + "\n" + ref; }

  void drop(const std::string& node, const std::string& ns, const std::string& ref) {
    auto it = counts_.find(key(node, ns, ref));
    if (it != counts_.end() && --it->second == 0) counts_.erase(it);
  }

  bool refers(const std::string& node, const std::string& ns, const std::string& ref) {
    std::shared_lock lock(mutex_);
    return counts_.contains(key(node, ns, ref));
  }

  bool owns_pod(const std::string& node, const Attributes& a) {
    std::shared_lock lock(mutex_);
    auto it = pods_.find(a.ns + "/" + a.name);
    return it != pods_.end() && it->second.node == node;
  }

  // Reporting on a pod that has just gone must end in 404, not in 403: what no node holds is left to NodeRestriction, which looks at the
  // object itself.
  bool others_pod(const std::string& node, const Attributes& a) {
    std::shared_lock lock(mutex_);
    auto it = pods_.find(a.ns + "/" + a.name);
    return it != pods_.end() && it->second.node != node;
  }

  bool allowed(const std::string& node, const Attributes& a) {
    const bool read = one_of(a.verb, {"get", "list", "watch"});
    if (a.group.empty()) {
      if (a.resource == "nodes") {
        if (a.verb == "create" && a.subresource.empty()) return true;  // NodeRestriction looks at the name
        if (read && a.subresource.empty()) return true;  // routes to the pods of other nodes need their addresses
        return a.name == node && one_of(a.verb, {"update", "patch"}) && one_of(a.subresource, {"", "status"});
      }
      if (a.resource == "pods") return pods(node, a, read);
      if (one_of(a.resource, {"secrets", "configmaps", "persistentvolumeclaims"}))
        return read && a.subresource.empty() && !a.name.empty() && refers(node, a.ns, a.resource + "/" + a.name);
      if (a.resource == "serviceaccounts")
        return refers(node, a.ns, "serviceaccounts/" + a.name) && ((a.subresource == "token" && a.verb == "create") || (a.subresource.empty() && a.verb == "get"));
      if (a.resource == "services") return read && a.subresource.empty();
      if (a.resource == "events") return one_of(a.verb, {"create", "update", "patch"});
      return false;
    }
    if (a.group == "events.k8s.io") return a.resource == "events" && one_of(a.verb, {"create", "update", "patch"});
    if (a.group == "discovery.k8s.io") return a.resource == "endpointslices" && read;
    if (a.group == "coordination.k8s.io")
      return a.resource == "leases" && a.ns == "kube-node-lease" && ((a.verb == "create" && a.name.empty()) || (a.name == node && one_of(a.verb, {"create", "get", "update", "patch", "delete"})));
    if (a.group == "node.k8s.io") return a.resource == "runtimeclasses" && read;
    return false;
  }

  bool pods(const std::string& node, const Attributes& a, bool read) {
    if (a.subresource.empty() && read) {
      if (a.verb == "get" || !a.name.empty()) return owns_pod(node, a);
      return a.field_selector == "spec.nodeName=" + node;
    }
    if (a.subresource.empty() && a.verb == "create") return true;  // mirror pods: NodeRestriction looks at the rest
    if (a.subresource.empty() && a.verb == "delete") return !others_pod(node, a);
    if (a.subresource == "status" && one_of(a.verb, {"update", "patch"})) return !others_pod(node, a);
    return a.subresource == "eviction" && a.verb == "create" && owns_pod(node, a);
  }

  std::shared_mutex mutex_;
  std::unordered_map<std::string, Pod> pods_;       // "ns/name"
  std::unordered_map<std::string, int> counts_;     // node, namespace, reference
};

}  // namespace

std::unique_ptr<Authorizer> make_node_authorizer() { return std::make_unique<NodeAuthorizer>(); }

}  // namespace lotse::security
