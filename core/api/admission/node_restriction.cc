// NodeRestriction: a node's agent changes its own Node, Lease and pods, and asks for tokens of its own pods' accounts only.
#include "core/api/admission.h"
#include "core/api/server_impl.h"

namespace lotse::api {
namespace {

constexpr std::string_view kPrefix = "system:node:";

// "" if this is no node's agent.
std::string node_of(const security::User& user) {
  if (!user.in_group(security::kGroupNodes) || !user.name.starts_with(kPrefix)) return "";
  return user.name.substr(kPrefix.size());
}

bool in_domain(std::string_view host, std::string_view domain) {
  return host == domain || (host.size() > domain.size() && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.');
}

// Labels that an agent may set on its own Node (the NodeRestriction page of Kubernetes' documentation).
bool may_label(std::string_view key) {
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return true;
  const std::string_view host = key.substr(0, slash);
  if (in_domain(host, "node-restriction.kubernetes.io")) return false;
  if (!in_domain(host, "kubernetes.io") && !in_domain(host, "k8s.io")) return true;
  if (in_domain(host, "kubelet.kubernetes.io") || in_domain(host, "node.kubernetes.io")) return true;
  constexpr std::string_view kKnown[] = {"kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch",
                                         "beta.kubernetes.io/os", "beta.kubernetes.io/instance-type", "topology.kubernetes.io/region",
                                         "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
                                         "failure-domain.beta.kubernetes.io/zone"};
  return std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown);
}

Status check_labels(Admission& a, const std::string& node) {
  static const json::Value none;
  const json::Value& now = std::as_const(*a.object)["metadata"]["labels"];
  const json::Value& before = a.old ? (*a.old)["metadata"]["labels"] : none;
  std::string bad;
  const auto look = [&](const json::Value& one, const json::Value& other) {
    for (const auto& [key, value] : one.members()) {
      if (!may_label(key) && !(other[key] == value && other.has(key))) bad += (bad.empty() ? "" : ", ") + key;
    }
  };
  look(now, before);
  look(before, now);
  if (bad.empty()) return {};
  return forbidden(a.call, a.name, "is not allowed to modify labels: " + bad + " (node \"" + node + "\")");
}

Status check_node(Admission& a, const std::string& node) {
  if (a.name != node) return forbidden(a.call, a.name, "node \"" + node + "\" is not allowed to modify node \"" + std::string(a.name) + "\"");
  if (!a.object) return {};
  if (std::as_const(*a.object)["spec"]["configSource"].is_object()) return forbidden(a.call, a.name, "may not set spec.configSource");
  if (a.old && a.call.request.subresource.empty() && !((*a.old)["spec"]["taints"] == std::as_const(*a.object)["spec"]["taints"])) {
    return forbidden(a.call, a.name, "node \"" + node + "\" is not allowed to modify taints");
  }
  return check_labels(a, node);
}

Status create_pod(Admission& a, const std::string& node) {
  const json::Value& pod = std::as_const(*a.object);
  if (!pod["metadata"]["annotations"].has("kubernetes.io/config.mirror")) {
    return forbidden(a.call, a.name, "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"" + node + "\" can only create mirror pods");
  }
  if (pod["spec"]["nodeName"].str() != node) {
    return forbidden(a.call, a.name, "node \"" + node + "\" can only create pods with spec.nodeName set to itself");
  }
  const auto& owners = pod["metadata"]["ownerReferences"].items();
  const bool own = owners.size() == 1 && owners[0]["kind"].str() == "Node" && owners[0]["name"].str() == node;
  if (!own) return forbidden(a.call, a.name, "node \"" + node + "\" can only create pods with an owner reference set to itself");
  return {};
}

Status check_pod(Admission& a, const std::string& node) {
  if (a.verb == Verb::kCreate && !a.on_subresource()) return create_pod(a, node);
  const ObjectPtr pod = a.call.server.find("", "pods", a.call.request.ns, a.name);
  if (pod && pod->header().node_name != node) {
    return forbidden(a.call, a.name, "node \"" + node + "\" can only change pods with spec.nodeName set to itself");
  }
  if (!a.object || !a.old || !a.on_subresource()) return {};
  if (!((*a.old)["metadata"]["labels"] == std::as_const(*a.object)["metadata"]["labels"])) {
    return forbidden(a.call, a.name, "node \"" + node + "\" cannot update labels through pod status");
  }
  return {};
}

}  // namespace

namespace admission {

Status node_restriction(Admission& a) {
  const std::string node = node_of(a.call.user);
  if (node.empty()) return {};
  if (a.is("", "nodes")) return check_node(a, node);
  if (a.is("", "pods")) return check_pod(a, node);
  if (a.is("coordination.k8s.io", "leases")) {
    if (a.call.request.ns != "kube-node-lease") return forbidden(a.call, a.name, "can only access leases in the \"kube-node-lease\" system namespace");
    if (a.name != node) return forbidden(a.call, a.name, "can only access node lease with the same name as the requesting node");
  }
  return {};
}

}  // namespace admission

Status restrict_node_token(const Call& call, const json::Value& ref) {
  const std::string node = node_of(call.user);
  if (node.empty()) return {};
  const std::string name = call.request.name;
  if (ref["kind"].str() != "Pod") return forbidden(call, name, "node requested token not bound to a pod");
  if (ref["uid"].str().empty()) return forbidden(call, name, "node requested token with a pod binding without a uid");
  const ObjectPtr pod = call.server.find("", "pods", call.request.ns, ref["name"].str());
  if (!pod || pod->header().uid != ref["uid"].str() || pod->header().node_name != node) {
    return forbidden(call, name, "node requested token bound to a pod scheduled on a different node");
  }
  return {};
}

}  // namespace lotse::api
