// The roles and bindings that a cluster begins with: upstream's bootstrap policy as far as the kinds exist here
// (plugin/pkg/auth/authorizer/rbac/bootstrappolicy). One line a rule, so that it reads as a table:
//   role NAME          a ClusterRole          aggregate LABEL   it is gathered from roles with this label
//   label NAME         a label of the role    r VERBS GROUPS RESOURCES [NAMES]      u VERBS URLS
//   include NAME       an aggregated role begins with the rules that the controller would gather
//   bind ROLE SUBJECT...                      a ClusterRoleBinding called like the role
//   in NAMESPACE role NAME / bind ...         a Role and a RoleBinding
// The group "core" is the empty one. Subjects: u:USER g:GROUP sa:NAMESPACE:NAME.
#include <sstream>

#include "core/security/rules.h"

namespace lotse::security {
namespace {

constexpr std::string_view kPolicy = R"(
role cluster-admin
r * * *
u * *
bind cluster-admin g:system:masters

role system:discovery
u get /livez,/readyz,/healthz,/version,/version/,/openapi,/openapi/*,/api,/api/*,/apis,/apis/*
bind system:discovery g:system:authenticated

role system:public-info-viewer
u get /livez,/readyz,/healthz,/version,/version/
bind system:public-info-viewer g:system:authenticated g:system:unauthenticated

role system:monitoring
u get /livez,/livez/*,/readyz,/readyz/*,/healthz,/healthz/*,/metrics,/metrics/slis
bind system:monitoring g:system:monitoring

role system:basic-user
r create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews
r create authentication.k8s.io selfsubjectreviews
bind system:basic-user g:system:authenticated

role system:service-account-issuer-discovery
u get /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/
bind system:service-account-issuer-discovery g:system:serviceaccounts

role system:auth-delegator
r create authentication.k8s.io tokenreviews
r create authorization.k8s.io subjectaccessreviews

role system:aggregate-to-view
label rbac.authorization.k8s.io/aggregate-to-view
r get,list,watch core pods,pods/log,pods/status,services,services/status,endpoints,configmaps,serviceaccounts,events,namespaces,namespaces/status,bindings,limitranges,resourcequotas,resourcequotas/status,persistentvolumeclaims,persistentvolumeclaims/status,replicationcontrollers,replicationcontrollers/scale,replicationcontrollers/status
r get,list,watch apps deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,controllerrevisions,daemonsets,daemonsets/status,statefulsets,statefulsets/scale,statefulsets/status
r get,list,watch discovery.k8s.io endpointslices
r get,list,watch policy poddisruptionbudgets,poddisruptionbudgets/status
r get,list,watch batch jobs,jobs/status,cronjobs,cronjobs/status
r get,list,watch autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status
r get,list,watch networking.k8s.io ingresses,ingresses/status,networkpolicies

role view
label rbac.authorization.k8s.io/aggregate-to-edit
aggregate rbac.authorization.k8s.io/aggregate-to-view
include system:aggregate-to-view

role system:aggregate-to-edit
label rbac.authorization.k8s.io/aggregate-to-edit
r get,list,watch core secrets,pods/attach,pods/exec,pods/portforward,pods/proxy,services/proxy
r create,delete,deletecollection,patch,update core pods,pods/attach,pods/exec,pods/portforward,pods/proxy,services,services/proxy,configmaps,secrets,serviceaccounts,endpoints,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale
r create core pods/eviction,serviceaccounts/token
r impersonate core serviceaccounts
r create,delete,deletecollection,patch,update apps deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,daemonsets,statefulsets,statefulsets/scale
r create,delete,deletecollection,patch,update policy poddisruptionbudgets
r create,delete,deletecollection,patch,update batch jobs,cronjobs
r create,delete,deletecollection,patch,update autoscaling horizontalpodautoscalers
r create,delete,deletecollection,patch,update networking.k8s.io ingresses,networkpolicies
r create,delete,deletecollection,get,list,patch,update,watch coordination.k8s.io leases

role edit
label rbac.authorization.k8s.io/aggregate-to-admin
aggregate rbac.authorization.k8s.io/aggregate-to-edit
include system:aggregate-to-edit
include view

role system:aggregate-to-admin
label rbac.authorization.k8s.io/aggregate-to-admin
r create authorization.k8s.io localsubjectaccessreviews
r create,delete,deletecollection,get,list,patch,update,watch rbac.authorization.k8s.io roles,rolebindings

role admin
aggregate rbac.authorization.k8s.io/aggregate-to-admin
include edit
include system:aggregate-to-admin

role system:node
r create,get,list,watch core nodes
r update,patch core nodes,nodes/status
bind system:node

role system:node-proxier
r list,watch core services,endpoints
r get,list,watch core nodes
r list,watch discovery.k8s.io endpointslices
r create,patch,update core,events.k8s.io events
bind system:node-proxier u:system:kube-proxy

role system:kube-dns
r list,watch core endpoints,services
bind system:kube-dns sa:kube-system:kube-dns

role system:kube-scheduler
r create,patch,update core,events.k8s.io events
r create coordination.k8s.io leases
r get,update coordination.k8s.io leases kube-scheduler
r get,list,watch core nodes,namespaces,replicationcontrollers,services
r delete,get,list,watch core pods
r create core bindings,pods/binding
r patch,update core pods/status
r get,list,watch apps replicasets,statefulsets
r get,list,watch policy poddisruptionbudgets
r get,list,watch core persistentvolumeclaims,persistentvolumes
r create authentication.k8s.io tokenreviews
r create authorization.k8s.io subjectaccessreviews
r get,list,watch scheduling.k8s.io priorityclasses
bind system:kube-scheduler u:system:kube-scheduler

role system:controller:deployment-controller
r get,list,update,watch,patch apps deployments
r update,patch apps deployments/status
r update,patch apps deployments/finalizers
r create,delete,get,list,patch,update,watch apps replicasets
r get,list,update,watch core pods
r create,patch,update core,events.k8s.io events

role system:controller:replicaset-controller
r get,list,update,watch apps replicasets
r update,patch apps replicasets/status
r update apps replicasets/finalizers
r create,delete,list,patch,watch,get core pods
r create,patch,update core,events.k8s.io events

role system:controller:endpoint-controller
r get,list,watch core pods,services
r create,delete,get,list,update,patch core endpoints
r create core endpoints/restricted
r create,patch,update core,events.k8s.io events

role system:controller:endpointslice-controller
r get,list,watch core nodes,pods,services
r update core services/finalizers
r create,delete,get,list,update,patch discovery.k8s.io endpointslices
r create,patch,update core,events.k8s.io events

role system:controller:namespace-controller
r delete,get,list,watch,patch,update core namespaces
r update,patch core namespaces/finalize,namespaces/status
r delete,deletecollection,get,list * *

role system:controller:service-account-controller
r create core serviceaccounts
r create,patch,update core,events.k8s.io events

role system:controller:service-controller
r get,list,watch core services
r patch,update core services/status
r list,watch core nodes
r create,patch,update core,events.k8s.io events

role system:controller:root-ca-cert-publisher
r create,update,get,patch core configmaps
r create,patch,update core,events.k8s.io events

role system:controller:node-controller
r delete,get,list,patch,update,watch core nodes
r patch,update core nodes/status
r get,list,watch,delete core pods
r patch,update core pods/status
r create,patch,update core,events.k8s.io events

role system:controller:taint-eviction-controller
r get,list,watch core nodes
r get,list,watch,delete core pods
r patch,update core pods/status
r create,patch,update core,events.k8s.io events

role system:controller:disruption-controller
r get,list,watch apps deployments,replicasets,statefulsets
r get,list,watch core replicationcontrollers,pods
r patch core pods/status
r get,list,watch policy poddisruptionbudgets
r update,patch policy poddisruptionbudgets/status
r get * */scale
r create,patch,update core,events.k8s.io events

role system:controller:pod-garbage-collector
r delete,list,watch,get core pods
r get,list,watch core nodes
r patch,update core pods/status

role system:controller:generic-garbage-collector
r delete,get,list,patch,update,watch * *
r create,patch,update core,events.k8s.io events

role system:controller:apiserver-endpoint-controller
r create,get,list,watch,update,patch core services,endpoints
r create,get,list,watch,update,patch,delete discovery.k8s.io endpointslices

role system:controller:resourcequota-controller
r list,watch * *
r update core resourcequotas/status
r create,patch,update core,events.k8s.io events

role system:controller:clusterrole-aggregation-controller
r escalate,get,list,patch,update,watch rbac.authorization.k8s.io clusterroles

role system:controller:ttl-after-finished-controller
r delete,get,list,watch batch jobs

in kube-system role extension-apiserver-authentication-reader
r get,list,watch core configmaps extension-apiserver-authentication
in kube-system bind extension-apiserver-authentication-reader u:system:kube-scheduler

in kube-system role lotse:master
r create coordination.k8s.io leases
r get,update,patch,delete coordination.k8s.io leases
in kube-system bind lotse:master sa:kube-system:lotse-master-controller

in kube-public role system:controller:bootstrap-signer
r get,list,watch core configmaps
)";

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    out.emplace_back(item == "core" ? std::string_view() : item);
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
  }
  return out;
}

json::Value subject(std::string_view text) {
  auto rbac = [](const char* kind, std::string_view name) {
    return json::Value::object({{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", kind}, {"name", name}});
  };
  if (text.starts_with("u:")) return rbac("User", text.substr(2));
  if (text.starts_with("g:")) return rbac("Group", text.substr(2));
  text.remove_prefix(3);
  size_t colon = text.find(':');
  return json::Value::object({{"kind", "ServiceAccount"}, {"namespace", text.substr(0, colon)}, {"name", text.substr(colon + 1)}});
}

json::Value document(std::string_view kind, std::string_view ns, std::string_view name) {
  json::Value v = json::Value::object({{"apiVersion", "rbac.authorization.k8s.io/v1"}, {"kind", kind}});
  v["metadata"]["name"] = name;
  if (!ns.empty()) v["metadata"]["namespace"] = ns;
  v["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = "true";
  v["metadata"]["labels"]["kubernetes.io/bootstrapping"] = "rbac-defaults";
  return v;
}

json::Value binding(const std::string& ns, const std::string& role, std::istringstream& words) {
  json::Value v = document(ns.empty() ? "ClusterRoleBinding" : "RoleBinding", ns, role);
  v["roleRef"] = json::Value::object({{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", ns.empty() ? "ClusterRole" : "Role"}, {"name", role}});
  json::Value subjects = json::Value::array();
  for (std::string word; words >> word;) subjects.push(subject(word));
  if (!subjects.empty()) v["subjects"] = subjects;
  return v;
}

}  // namespace

std::vector<json::Value> bootstrap_rbac() {
  std::vector<json::Value> out, controllers;
  std::istringstream lines{std::string(kPolicy)};
  size_t current = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, ns, name;
    if (!(words >> word)) continue;
    if (word == "in") words >> ns >> word;
    if (word == "role") {
      words >> name;
      current = out.size();
      out.push_back(document(ns.empty() ? "ClusterRole" : "Role", ns, name));
      out[current]["rules"] = json::Value::array();
      constexpr std::string_view prefix = "system:controller:";
      if (ns.empty() && name.starts_with(prefix)) {
        std::istringstream subject("sa:kube-system:" + name.substr(prefix.size()));
        controllers.push_back(binding("", name, subject));
      }
    } else if (word == "label") {
      words >> name;
      out[current]["metadata"]["labels"][name] = "true";
    } else if (word == "include") {
      words >> name;
      json::Value rules;
      for (const auto& role : out)
        if (role["metadata"]["name"].str() == name && role["kind"].str() == "ClusterRole") rules = role["rules"];
      for (const auto& rule : rules.items()) out[current]["rules"].push(rule);
    } else if (word == "aggregate") {
      words >> name;
      json::Value selector;
      selector["matchLabels"].set(name, "true");
      out[current]["aggregationRule"]["clusterRoleSelectors"].push(std::move(selector));
    } else if (word == "bind") {
      words >> name;
      out.push_back(binding(ns, name, words));
    } else {
      std::string a, b, c, d;
      words >> a >> b >> c >> d;
      Rule rule = word == "u" ? Rule{split(a), {}, {}, {}, split(b)} : Rule{split(a), split(b), split(c), split(d), {}};
      out[current]["rules"].push(rule.to_value());
    }
  }
  for (auto& c : controllers) out.push_back(std::move(c));
  return out;
}

}  // namespace lotse::security
