#include "unit/api/fixture.h"

namespace lotse::api {

TEST_CASE_METHOD(ServerFixture, "A pod gets its account, its token, its tolerations and its priority") {
  const auto v = must(create("pods", "default", pod("p")));
  const auto& spec = v["spec"];
  CHECK(spec["serviceAccountName"].str() == "default");
  CHECK(spec["serviceAccount"].str() == "default");
  CHECK(spec["priority"].integer(-1) == 0);
  CHECK(spec["preemptionPolicy"].str() == "PreemptLowerPriority");
  CHECK(spec["tolerations"].size() == 2);
  CHECK(spec["tolerations"].at(0)["tolerationSeconds"].integer() == 300);
  REQUIRE(spec["volumes"].size() == 1);
  const std::string volume(spec["volumes"].at(0)["name"].str());
  CHECK(volume.substr(0, 16) == "kube-api-access-");
  const auto& sources = spec["volumes"].at(0)["projected"]["sources"];
  CHECK(sources.at(0)["serviceAccountToken"]["expirationSeconds"].integer() == 3607);
  CHECK(sources.at(1)["configMap"]["name"].str() == "kube-root-ca.crt");
  CHECK(sources.at(2)["downwardAPI"]["items"].at(0)["fieldRef"]["fieldPath"].str() == "metadata.namespace");
  const auto& mount = spec["containers"].at(0)["volumeMounts"].at(0);
  CHECK(mount["name"].str() == volume);
  CHECK(mount["mountPath"].str() == "/var/run/secrets/kubernetes.io/serviceaccount");
  CHECK(mount["readOnly"].boolean());
  CHECK(v["status"]["phase"].str() == "Pending");
}

TEST_CASE_METHOD(ServerFixture, "A pod or an account may do without the token") {
  const std::string head = R"({"metadata":{"name":")", tail = R"("containers":[{"name":"c","image":"i"}]}})";
  CHECK(must(create("pods", "default", head + R"(a"},"spec":{"automountServiceAccountToken":false,)" + tail))["spec"]["volumes"].empty());
  must(patch("serviceaccounts", "default", "default", R"({"automountServiceAccountToken":false})"));
  CHECK(must(create("pods", "default", head + R"(b"},"spec":{)" + tail))["spec"]["volumes"].empty());
  CHECK(must(create("pods", "default", head + R"(c"},"spec":{"automountServiceAccountToken":true,)" + tail))["spec"]["volumes"].size() == 1);
  const auto r = create("pods", "default", head + R"(d"},"spec":{"serviceAccountName":"nobody",)" + tail);
  CHECK(r.status == 403);
  CHECK(value(r)["message"].str().find("serviceaccount \"nobody\" not found") != std::string_view::npos);
}

TEST_CASE_METHOD(ServerFixture, "A pod's priority comes from its class") {
  must(create("priorityclasses.scheduling.k8s.io", "", R"({"metadata":{"name":"high"},"value":1000,"preemptionPolicy":"Never"})"));
  const auto with = [&](const char* name, const std::string& fields) {
    return create("pods", "default", R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{)" + fields + R"("containers":[{"name":"c","image":"i"}]}})");
  };
  const auto v = must(with("a", R"("priorityClassName":"high",)"));
  CHECK(v["spec"]["priority"].integer() == 1000);
  CHECK(v["spec"]["preemptionPolicy"].str() == "Never");
  CHECK(with("b", R"("priorityClassName":"none",)").status == 403);
  CHECK(with("c", R"("priority":5,)").status == 403);
  must(create("priorityclasses.scheduling.k8s.io", "", R"({"metadata":{"name":"usual"},"value":7,"globalDefault":true})"));
  CHECK(must(with("d", ""))["spec"]["priority"].integer() == 7);
  CHECK(create("priorityclasses.scheduling.k8s.io", "", R"({"metadata":{"name":"two"},"value":8,"globalDefault":true})").status == 403);
}

TEST_CASE_METHOD(ServerFixture, "Tolerations that a pod brings along stay as they are") {
  const auto v = must(create("pods", "default", R"({"metadata":{"name":"p"},"spec":{"tolerations":[{"operator":"Exists"}],"containers":[{"name":"c","image":"i"}]}})"));
  CHECK(v["spec"]["tolerations"].size() == 1);
}

}  // namespace lotse::api
