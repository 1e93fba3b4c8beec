#include "unit/api/fixture.h"

namespace lotse::api {
namespace {

void grant(ServerFixture& f, const std::string& user, const std::string& rules, const std::string& ns = "default") {
  f.must(f.create("roles.rbac.authorization.k8s.io", ns, R"({"metadata":{"name":"role-)" + user + R"("},"rules":)" + rules + "}"));
  f.must(f.create("rolebindings.rbac.authorization.k8s.io", ns,
                  R"({"metadata":{"name":"binding-)" + user + R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"role-)" + user +
                      R"("},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":")" + user + R"("}]})"));
}

}  // namespace

TEST_CASE_METHOD(ServerFixture, "Nobody may do anything that no role grants him") {
  user = somebody("jane");
  const auto r = list("configmaps", "default");
  CHECK(r.status == 403);
  CHECK(value(r)["message"].str() == R"(configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default")");
  CHECK(value(get("nodes", "", "n"))["message"].str() == R"(nodes "n" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope)");
  user = admin();
  grant(*this, "jane", R"([{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","list"]}])");
  user = somebody("jane");
  CHECK(list("configmaps", "default").status == 200);
  CHECK(list("configmaps", "kube-system").status == 403);
  CHECK(create("configmaps", "default", config_map("a")).status == 403);
}

TEST_CASE_METHOD(ServerFixture, "Who brings nothing is anonymous; who brings something false is refused") {
  as_nobody = true;
  CHECK(list("pods", "default").status == 403);
  CHECK(value(list("pods", "default"))["message"].str().find("system:anonymous") != std::string_view::npos);
  CHECK(visit("/version").status == 200);
  auto r = request(Verb::kList, "pods", "default");
  r.peer.token = "nonsense";
  CHECK(ask(r).status == 401);
  CHECK(value(ask(r))["reason"].str() == "Unauthorized");
}

TEST_CASE_METHOD(ServerFixture, "An account's token says who it is, while its pod lives") {
  must(create("pods", "default", pod("p", "node-1")));
  auto r = request(Verb::kCreate, "serviceaccounts", "default", "default",
                   R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":600,"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p"}}})");
  r.subresource = "token";
  const auto issued = must(ask(r));
  const std::string token(issued["status"]["token"].str());
  auto who = request(Verb::kCreate, "selfsubjectreviews.authentication.k8s.io", "", "", "{}");
  who.peer.token = token;
  const auto me = must(ask(who));
  CHECK(me["status"]["userInfo"]["username"].str() == "system:serviceaccount:default:default");
  CHECK(me["status"]["userInfo"]["extra"]["authentication.kubernetes.io/pod-name"].at(0).str() == "p");
  auto review = request(Verb::kCreate, "tokenreviews.authentication.k8s.io", "", "", R"({"spec":{"token":")" + token + R"("}})");
  CHECK(must(ask(review))["status"]["authenticated"].boolean());
  must(remove("pods", "default", "p", R"({"gracePeriodSeconds":0})"));
  CHECK(ask(who).status == 401);
  CHECK_FALSE(must(ask(review))["status"]["authenticated"].boolean(true));
  r.body = Bytes(R"({"spec":{"expirationSeconds":5}})");
  CHECK(ask(r).status == 422);
  r.name = "nobody";
  CHECK(ask(r).status == 404);
}

TEST_CASE_METHOD(ServerFixture, "Impersonation needs leave for each thing that is put on") {
  auto who = request(Verb::kCreate, "selfsubjectreviews.authentication.k8s.io", "", "", "{}");
  who.headers = {{"Impersonate-User", "jane"}, {"Impersonate-Group", "devs"}, {"Impersonate-Extra-Reason", "test"}};
  const auto me = must(ask(who));
  CHECK(me["status"]["userInfo"]["username"].str() == "jane");
  CHECK(me["status"]["userInfo"]["extra"]["reason"].at(0).str() == "test");
  user = somebody("joe");
  CHECK(ask(who).status == 403);
  who.headers = {{"Impersonate-Group", "system:masters"}};
  user = admin();
  CHECK(ask(who).status == 400);
}

TEST_CASE_METHOD(ServerFixture, "A service account that is put on has its own groups only when none are asked for") {
  const auto groups_of = [&](std::vector<std::pair<std::string, std::string>> headers) {
    auto who = request(Verb::kCreate, "selfsubjectreviews.authentication.k8s.io", "", "", "{}");
    who.headers = std::move(headers);
    return json::write(must(ask(who))["status"]["userInfo"]["groups"]);
  };
  const std::pair<std::string, std::string> account{"Impersonate-User", "system:serviceaccount:default:robot"};
  CHECK(groups_of({account}) == R"(["system:serviceaccounts","system:serviceaccounts:default","system:authenticated"])");
  CHECK(groups_of({account, {"Impersonate-Group", "devs"}}) == R"(["devs","system:authenticated"])");
  CHECK(groups_of({{"Impersonate-Group", "devs"}, account}) == R"(["devs","system:authenticated"])");
}

TEST_CASE_METHOD(ServerFixture, "Access reviews answer for oneself and for others") {
  grant(*this, "jane", R"([{"apiGroups":[""],"resources":["pods/log"],"verbs":["get"]}])");
  const auto ask_for = [&](const char* kind, const char* who, const char* sub) {
    return must(create(std::string(kind) + ".authorization.k8s.io", "",
                       R"({"spec":{)" + std::string(who) + R"("resourceAttributes":{"namespace":"default","verb":"get","resource":"pods","subresource":")" + sub + R"("}}})"))["status"]["allowed"].boolean();
  };
  CHECK(ask_for("subjectaccessreviews", R"("user":"jane",)", "log"));
  CHECK_FALSE(ask_for("subjectaccessreviews", R"("user":"jane",)", "exec"));
  CHECK(ask_for("selfsubjectaccessreviews", "", "exec"));
  user = somebody("jane");
  CHECK(ask_for("selfsubjectaccessreviews", "", "log"));
  CHECK_FALSE(ask_for("selfsubjectaccessreviews", "", "exec"));
  const auto rules = must(create("selfsubjectrulesreviews.authorization.k8s.io", "", R"({"spec":{"namespace":"default"}})"));
  CHECK(json::write(rules["status"]["resourceRules"]).find("pods/log") != std::string::npos);
  user = admin();
  CHECK(create("selfsubjectaccessreviews.authorization.k8s.io", "", R"({"spec":{}})").status == 422);
}

TEST_CASE_METHOD(ServerFixture, "Nobody grants what he does not hold") {
  grant(*this, "jane", R"([{"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles","rolebindings"],"verbs":["create","patch","update"]},{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}])");
  user = somebody("jane");
  const std::string head = R"({"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":[")";
  CHECK(create("roles.rbac.authorization.k8s.io", "default", head + R"(pods"],"verbs":["get"]}]})").status == 201);
  const auto refused = patch("roles.rbac.authorization.k8s.io", "default", "r", R"({"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]})");
  CHECK(refused.status == 403);
  CHECK(value(refused)["message"].str().find("is attempting to grant RBAC permissions not currently held") != std::string_view::npos);
  CHECK(create("rolebindings.rbac.authorization.k8s.io", "default",
               R"({"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[]})").status == 403);
}

TEST_CASE_METHOD(ServerFixture, "A node changes itself and its own pods only") {
  const auto node = [](const std::string& name) { return somebody("system:node:" + name, {"system:nodes"}); };
  user = node("node-1");
  CHECK(create("nodes", "", R"({"metadata":{"name":"node-2"}})").status == 403);
  const auto made = must(create("nodes", "", R"({"metadata":{"name":"node-1","labels":{"kubernetes.io/hostname":"node-1"}}})"));
  CHECK(made["spec"]["taints"].at(0)["key"].str() == "node.kubernetes.io/not-ready");
  CHECK(patch("nodes", "", "node-1", R"({"metadata":{"labels":{"node-restriction.kubernetes.io/x":"y"}}})").status == 403);
  CHECK(patch("nodes", "", "node-1", R"({"metadata":{"labels":{"example.com/x":"y"}}})").status == 200);
  CHECK(patch("nodes", "", "node-1", R"({"spec":{"taints":[]}})").status == 403);
  CHECK(create("pods", "default", pod("p", "node-1")).status == 403);
  user = admin();
  must(create("pods", "default", pod("mine", "node-1")));
  must(create("pods", "default", pod("other", "node-2")));
  user = node("node-1");
  auto r = request(Verb::kPatch, "pods", "default", "mine", R"({"status":{"phase":"Running"}})");
  r.subresource = "status";
  CHECK(ask(r).status == 200);
  r.name = "other";
  CHECK(ask(r).status == 403);
  CHECK(get("pods", "default", "mine").status == 200);
  CHECK(get("pods", "default", "other").status == 403);
}

}  // namespace lotse::api
