// RBAC: nobody grants what he does not hold, unless he may `escalate` the role or `bind` to it.
#include "core/api/admission.h"
#include "core/api/server_impl.h"

namespace lotse::api::admission {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

bool allowed(Admission& a, std::string verb, std::string_view resource, std::string_view ns, std::string_view name) {
  security::Attributes at;
  at.verb = std::move(verb);
  at.group = kGroup;
  at.version = "v1";
  at.resource = resource;
  at.ns = ns;
  at.name = name;
  return a.call.server.authorizer().authorize(a.call.user, at).verdict == security::Verdict::kAllow;
}

Status check_rules(Admission& a, const json::Value& rules) {
  std::vector<std::string> missing;
  if (security::covers(a.call.server.authorizer(), a.call.user, a.call.request.ns, rules, &missing)) return {};
  std::string groups, list;
  for (const auto& g : a.call.user.groups) groups += (groups.empty() ? "\"" : " \"") + g + "\"";
  for (const auto& m : missing) list += "\n" + m;
  return forbidden(a.call, a.name, "user \"" + a.call.user.name + "\" (groups=[" + groups +
                                       "]) is attempting to grant RBAC permissions not currently held:" + list);
}

Status check_binding(Admission& a) {
  const json::Value& ref = std::as_const(*a.object)["roleRef"];
  if (a.old && (*a.old)["roleRef"] == ref && (*a.old)["subjects"] == std::as_const(*a.object)["subjects"]) return {};
  const bool cluster = ref["kind"].str() == "ClusterRole";
  const std::string_view resource = cluster ? "clusterroles" : "roles";
  const std::string name(ref["name"].str());
  if (allowed(a, "bind", resource, cluster ? "" : a.call.request.ns, name)) return {};
  if (cluster && !a.call.request.ns.empty() && allowed(a, "bind", resource, a.call.request.ns, name)) return {};
  const ObjectPtr role = a.call.server.find(kGroup, resource, cluster ? "" : a.call.request.ns, name);
  if (!role) return Status::not_found(kGroup, resource, name);
  return check_rules(a, role->value()["rules"]);
}

}  // namespace

Status rbac_escalation(Admission& a) {
  if (a.call.resource->group != kGroup || !a.object || a.call.user.in_group(security::kGroupMasters)) return {};
  const std::string_view resource = a.call.resource->resource;
  if (resource == "rolebindings" || resource == "clusterrolebindings") return check_binding(a);
  const json::Value& rules = std::as_const(*a.object)["rules"];
  if (a.old && (*a.old)["rules"] == rules && (*a.old)["aggregationRule"] == std::as_const(*a.object)["aggregationRule"]) return {};
  if (allowed(a, "escalate", resource, a.call.request.ns, a.name)) return {};
  if (std::as_const(*a.object)["aggregationRule"].is_object()) {  // it may come to hold anything
    const json::Value everything = *json::parse(R"([{"apiGroups":["*"],"resources":["*"],"verbs":["*"]},{"nonResourceURLs":["*"],"verbs":["*"]}])");
    LOTSE_CHECK_OK(check_rules(a, everything));
  }
  return check_rules(a, rules);
}

}  // namespace lotse::api::admission
