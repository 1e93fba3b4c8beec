#include <catch2/catch.hpp>

#include <sstream>

#include "tests/unit/security/fixture.h"

using namespace lotse;
using namespace lotse::security;

namespace {

User person(const std::string& name, std::vector<std::string> groups = {}) {
  User u;
  u.name = name;
  u.groups = std::move(groups);
  u.groups.emplace_back(kGroupAuthenticated);
  return u;
}

Attributes ask(std::string verb, std::string group, std::string resource, std::string ns = {}, std::string name = {}) {
  Attributes a;
  a.verb = std::move(verb);
  a.group = std::move(group);
  const size_t slash = resource.find('/');
  a.resource = resource.substr(0, slash);
  if (slash != std::string::npos) a.subresource = resource.substr(slash + 1);
  a.ns = std::move(ns);
  a.name = std::move(name);
  return a;
}

std::string plural(std::string_view kind) {
  return kind == "ClusterRole" ? "clusterroles" : kind == "ClusterRoleBinding" ? "clusterrolebindings" : kind == "Role" ? "roles" : "rolebindings";
}

struct Policy {
  std::unique_ptr<Authorizer> rbac = make_rbac_authorizer();
  Policy() {
    for (auto& v : bootstrap_rbac()) add(v);
  }
  void add(json::Value v) {
    ObjectPtr o = Object::from_value(v, 1);
    rbac->observe("rbac.authorization.k8s.io", plural(o->header().kind), o, nullptr);
  }
  void add_text(std::string_view text) { add(*json::parse(text)); }
  bool may(const User& user, const Attributes& a) { return rbac->authorize(user, a).verdict == Verdict::kAllow; }
  void bind(const std::string& role, const std::string& user, const std::string& ns) {
    json::Value v = json::Value::object({{"apiVersion", "rbac.authorization.k8s.io/v1"}, {"kind", ns.empty() ? "ClusterRoleBinding" : "RoleBinding"}});
    v["metadata"]["name"] = "b-" + role + user;
    if (!ns.empty()) v["metadata"]["namespace"] = ns;
    v["roleRef"] = json::Value::object({{"kind", "ClusterRole"}, {"name", role}});
    v["subjects"].push(json::Value::object({{"kind", "User"}, {"name", user}}));
    add(v);
  }
};

}  // namespace

// Read as a table: who, asks to do what, to what (in namespace), and what the answer must be.
TEST_CASE("user by verb by resource") {
  Policy p;
  p.bind("view", "vera", "");
  p.bind("edit", "eddy", "team");
  p.bind("admin", "ada", "team");
  const std::string table = R"(
root    delete  core nodes                     -       yes
root    get     /metrics -                     -       yes
vera    list    core pods                      team    yes
vera    get     core pods/log                  team    yes
vera    list    core secrets                   team    no
vera    create  core pods                      team    no
vera    create  core pods/exec                 team    no
vera    get     apps deployments               other   yes
vera    list    core nodes                     -       no
eddy    create  core pods                      team    yes
eddy    create  core pods                      other   no
eddy    get     core secrets                   team    yes
eddy    create  core pods/exec                 team    yes
eddy    create  core pods/eviction             team    yes
eddy    update  apps deployments/scale         team    yes
eddy    create  rbac.authorization.k8s.io roles team   no
eddy    update  core namespaces                -       no
ada     create  rbac.authorization.k8s.io roles team   yes
ada     create  rbac.authorization.k8s.io rolebindings other no
ada     create  rbac.authorization.k8s.io clusterroles - no
ada     update  core nodes                     -       no
nobody  create  authorization.k8s.io selfsubjectaccessreviews - yes
nobody  get     /version -                     -       yes
nobody  get     /api/v1 -                      -       yes
nobody  get     /metrics -                     -       no
nobody  list    core pods                      team    no
sa:kube-system:deployment-controller create apps replicasets team yes
sa:kube-system:deployment-controller create core pods team no
sa:kube-system:replicaset-controller create core pods team yes
sa:kube-system:replicaset-controller delete core nodes - no
sa:kube-system:node-controller      patch  core nodes/status - yes
sa:kube-system:node-controller      list   core secrets team no
sa:kube-system:endpoint-controller  create core endpoints team yes
sa:kube-system:endpointslice-controller update discovery.k8s.io endpointslices team yes
sa:kube-system:namespace-controller deletecollection core pods team yes
sa:kube-system:namespace-controller create core pods team no
sa:kube-system:generic-garbage-collector delete apps replicasets team yes
sa:kube-system:generic-garbage-collector create apps replicasets team no
sa:default:default                  list   core pods default no
sa:default:default                  get    /openid/v1/jwks - - yes
system:kube-scheduler               create core pods/binding team yes
system:kube-scheduler               create core pods team no
system:anonymous                    get    /healthz - - yes
system:anonymous                    get    /api - - no
system:anonymous                    list   core pods team no
)";
  std::istringstream lines(table);
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string who, verb, group, resource, ns, expected;
    if (!(words >> who)) continue;
    words >> verb >> group;
    Attributes a;
    if (group[0] == '/') {
      a.verb = verb;
      a.is_resource = false;
      a.path = group;
      words >> resource >> ns;
      if (ns != "-") expected = ns;
      std::string last;
      while (words >> last) expected = last;
    } else {
      words >> resource >> ns >> expected;
      a = ask(verb, group == "core" ? "" : group, resource, ns == "-" ? "" : ns);
    }
    User user = person(who);
    if (who == "root") user = person("root", {"system:masters"});
    if (who.starts_with("sa:")) {
      const size_t colon = who.find(':', 3);
      user = service_account_user(who.substr(3, colon - 3), who.substr(colon + 1));
    }
    if (who == "system:anonymous") user.groups = {std::string(kGroupUnauthenticated)};
    INFO(line);
    CHECK(p.may(user, a) == (expected == "yes"));
    ++rows;
  }
  CHECK(rows >= 45);
}

TEST_CASE("resource names narrow a rule down") {
  Policy p;
  p.add_text(R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"one","namespace":"team"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["configmaps"],"resourceNames":["settings"]}]})");
  p.add_text(R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"one","namespace":"team"},"roleRef":{"kind":"Role","name":"one"},"subjects":[{"kind":"ServiceAccount","name":"app","namespace":"team"}]})");
  User app = service_account_user("team", "app");
  CHECK(p.may(app, ask("get", "", "configmaps", "team", "settings")));
  CHECK_FALSE(p.may(app, ask("get", "", "configmaps", "team", "other")));
  CHECK_FALSE(p.may(app, ask("list", "", "configmaps", "team")));
  CHECK_FALSE(p.may(app, ask("get", "", "configmaps", "elsewhere", "settings")));
}

TEST_CASE("a binding that is changed or deleted counts at once") {
  Policy p;
  auto binding = object(R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"x"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"Group","name":"team"}]})");
  auto changed = object(R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"x"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"Group","name":"others"}]})");
  User ann = person("ann", {"team"});
  p.rbac->observe("rbac.authorization.k8s.io", "clusterrolebindings", binding, nullptr);
  CHECK(p.may(ann, ask("list", "", "pods", "a")));
  p.rbac->observe("rbac.authorization.k8s.io", "clusterrolebindings", changed, binding);
  CHECK_FALSE(p.may(ann, ask("list", "", "pods", "a")));
  p.rbac->observe("rbac.authorization.k8s.io", "clusterrolebindings", nullptr, changed);
  CHECK_FALSE(p.may(person("bob", {"others"}), ask("list", "", "pods", "a")));
}

TEST_CASE("what went while nobody looked counts no more") {
  Policy policy;
  policy.bind("view", "jane", "here");
  policy.bind("edit", "jane", "here");
  policy.bind("view", "joe", "");
  policy.rbac->retain("rbac.authorization.k8s.io", "rolebindings", {"here/b-viewjane"});
  CHECK(policy.may(person("jane"), ask("get", "", "pods", "here")));
  CHECK_FALSE(policy.may(person("jane"), ask("create", "", "pods", "here")));
  CHECK(policy.may(person("joe"), ask("get", "", "pods", "here")));
  policy.rbac->retain("rbac.authorization.k8s.io", "roles", {});
  CHECK(policy.may(person("joe"), ask("get", "", "pods", "here")));
  policy.rbac->retain("rbac.authorization.k8s.io", "clusterroles", {"/edit"});
  CHECK_FALSE(policy.may(person("joe"), ask("get", "", "pods", "here")));
}

TEST_CASE("nobody may grant what he does not hold") {
  Policy p;
  p.bind("admin", "ada", "team");
  std::vector<std::string> missing;
  CHECK(covers(*p.rbac, person("ada"), "team", *json::parse(R"([{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}])"), &missing));
  CHECK_FALSE(covers(*p.rbac, person("ada"), "team", *json::parse(R"([{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}])"), &missing));
  CHECK_FALSE(missing.empty());
  CHECK_FALSE(covers(*p.rbac, person("ada"), "other", *json::parse(R"([{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}])"), nullptr));
  CHECK(covers(*p.rbac, person("root", {"system:masters"}), "", *json::parse(R"([{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}])"), nullptr));
}

TEST_CASE("a node sees its own pods and what they reference, by name, and nothing else") {
  auto node = make_node_authorizer();
  auto pod = object(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"team","uid":"1"},"spec":{"nodeName":"n1","serviceAccountName":"app",
    "containers":[{"name":"c","envFrom":[{"secretRef":{"name":"env"}}]}],"volumes":[{"name":"v","configMap":{"name":"page"}},{"name":"p","projected":{"sources":[{"secret":{"name":"tls"}}]}}]}})");
  node->observe("", "pods", pod, nullptr);
  auto may = [&](const std::string& who, Attributes a, const std::string& fields = {}) {
    a.field_selector = fields;
    return node->authorize(node_user(who), a).verdict == Verdict::kAllow;
  };
  CHECK(may("n1", ask("get", "", "secrets", "team", "env")));
  CHECK(may("n1", ask("watch", "", "configmaps", "team", "page")));
  CHECK(may("n1", ask("get", "", "secrets", "team", "tls")));
  CHECK(may("n1", ask("create", "", "serviceaccounts/token", "team", "app")));
  CHECK_FALSE(may("n2", ask("get", "", "secrets", "team", "env")));
  CHECK_FALSE(may("n1", ask("get", "", "secrets", "team", "other")));
  CHECK_FALSE(may("n1", ask("list", "", "secrets", "team")));
  CHECK(may("n1", ask("list", "", "pods"), "spec.nodeName=n1"));
  CHECK_FALSE(may("n1", ask("list", "", "pods"), "spec.nodeName=n2"));
  CHECK_FALSE(may("n1", ask("list", "", "pods")));
  CHECK(may("n1", ask("patch", "", "pods/status", "team", "web")));
  CHECK_FALSE(may("n2", ask("patch", "", "pods/status", "team", "web")));
  CHECK(may("n1", ask("patch", "", "nodes/status", "", "n1")));
  CHECK_FALSE(may("n1", ask("patch", "", "nodes/status", "", "n2")));
  CHECK(may("n1", ask("update", "coordination.k8s.io", "leases", "kube-node-lease", "n1")));
  CHECK_FALSE(may("n1", ask("update", "coordination.k8s.io", "leases", "kube-node-lease", "n2")));
  CHECK_FALSE(may("n1", ask("create", "apps", "deployments", "team")));
  CHECK(may("n1", ask("delete", "", "pods", "team", "web")));
  CHECK_FALSE(may("n2", ask("delete", "", "pods", "team", "web")));
  CHECK_FALSE(may("n2", ask("create", "", "pods/eviction", "team", "web")));
  node->observe("", "pods", nullptr, pod);
  CHECK_FALSE(may("n1", ask("get", "", "secrets", "team", "env")));
  CHECK_FALSE(may("n1", ask("get", "", "pods", "team", "web")));
  // Of a pod that has just gone the agent must hear 404.
  CHECK(may("n1", ask("patch", "", "pods/status", "team", "web")));
  CHECK(may("n1", ask("delete", "", "pods", "team", "web")));
  CHECK_FALSE(node->authorize(person("ann"), ask("get", "", "nodes")).verdict == Verdict::kAllow);
}
