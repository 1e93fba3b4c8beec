#include "unit/api/fixture.h"

namespace lotse::api {
namespace {

struct ApplyFixture : ServerFixture {
  Response apply(std::string_view manager, std::string_view yaml, bool force = false, std::string_view resource = "deployments.apps", std::string_view name = "web",
                 std::string_view subresource = {}) {
    Request r = request(Verb::kPatch, resource, "default", name, yaml);
    r.content_type = "application/apply-patch+yaml";
    r.subresource = subresource;
    if (!manager.empty()) r.options.emplace_back("fieldManager", manager);
    if (force) r.options.emplace_back("force", "true");
    return ask(std::move(r));
  }
  static std::string web(std::string_view more = "replicas: 2", std::string_view image = "one", std::string_view labels = "{app: web}") {
    return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: " + std::string(labels) + "}\nspec:\n  " + std::string(more) +
           "\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: " + std::string(image) + "}]}\n";
  }
  static json::Value entry(const json::Value& object, std::string_view manager, std::string_view operation) {
    for (const auto& m : object["metadata"]["managedFields"].items()) {
      if (m["manager"].str() == manager && m["operation"].str() == operation) return m;
    }
    return {};
  }
  json::Value live() { return must(get("deployments.apps", "default", "web")); }
  Response merge(std::string_view manager, std::string_view body) {
    Request r = request(Verb::kPatch, "deployments.apps", "default", "web", body);
    r.options.emplace_back("fieldManager", manager);
    return ask(std::move(r));
  }
};

}  // namespace

TEST_CASE_METHOD(ApplyFixture, "Applying what is not there creates it; applying it again changes nothing") {
  const auto first = apply("me", web());
  CHECK(first.status == 201);
  const auto object = value(first);
  CHECK(object["spec"]["strategy"]["type"].str() == "RollingUpdate");  // defaults are filled in, and are nobody's
  const auto mine = entry(object, "me", "Apply");
  CHECK(mine["apiVersion"].str() == "apps/v1");
  CHECK(mine["fieldsType"].str() == "FieldsV1");
  CHECK_FALSE(mine["time"].str().empty());
  CHECK(json::write(mine["fieldsV1"]) ==
        R"({"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},)"
        R"("f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{}}}}}}})");
  CHECK(object["metadata"]["managedFields"].size() == 1);
  loop.advance(std::chrono::seconds(5));
  const auto second = apply("me", web());
  CHECK(second.status == 200);
  CHECK(value(second)["metadata"]["resourceVersion"].str() == object["metadata"]["resourceVersion"].str());
}

TEST_CASE_METHOD(ApplyFixture, "Who applies says who he is") {
  const auto refused = apply("", web());
  CHECK(refused.status == 422);
  CHECK(value(refused)["message"].str() == "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
}

TEST_CASE_METHOD(ApplyFixture, "A field that somebody else has set is a conflict, unless it is taken by force or both say the same") {
  must(apply("one", web()));
  const auto refused = apply("two", web("replicas: 3"));
  CHECK(refused.status == 409);
  const auto status = value(refused);
  CHECK(status["reason"].str() == "Conflict");
  CHECK(status["message"].str() == "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
  const auto& cause = status["details"]["causes"].at(0);
  CHECK(cause["reason"].str() == "FieldManagerConflict");
  CHECK(cause["field"].str() == ".spec.replicas");
  CHECK(cause["message"].str() == "conflict with \"one\"");
  CHECK(live()["spec"]["replicas"].integer() == 2);
  CHECK(value(apply("two", web("replicas: 3", "two")))["message"].str() ==
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.replicas\n- .spec.template.spec.containers[name=\"c\"].image");
  const auto shared = must(apply("two", web()));  // the same: both own it
  CHECK(entry(shared, "one", "Apply")["fieldsV1"]["f:spec"].has("f:replicas"));
  CHECK(entry(shared, "two", "Apply")["fieldsV1"]["f:spec"].has("f:replicas"));
  const auto taken = must(apply("two", web("replicas: 3"), true));
  CHECK(taken["spec"]["replicas"].integer() == 3);
  CHECK_FALSE(entry(taken, "one", "Apply")["fieldsV1"]["f:spec"].has("f:replicas"));
  CHECK(entry(taken, "two", "Apply")["fieldsV1"]["f:spec"].has("f:replicas"));
}

TEST_CASE_METHOD(ApplyFixture, "What a manager applies no more goes, if nobody else owns it") {
  must(apply("one", web("replicas: 2", "one", "{app: web, mine: x, ours: x}")));
  must(apply("two", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {labels: {ours: x, theirs: x}}\n"));
  const auto less = must(apply("one", web("minReadySeconds: 1")));
  CHECK(json::write(less["metadata"]["labels"]) == R"({"app":"web","ours":"x","theirs":"x"})");
  CHECK(less["spec"]["replicas"].integer() == 1);  // the default again
  const auto none = must(apply("two", "apiVersion: apps/v1\nkind: Deployment\n"));
  CHECK(json::write(none["metadata"]["labels"]) == R"({"app":"web"})");
  CHECK(entry(none, "two", "Apply").is_null());
}

TEST_CASE_METHOD(ApplyFixture, "A container that is applied no more goes with what is in it, but not with what another has added") {
  must(apply("one", web("replicas: 2", "one")));
  const std::string more = R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"one"},{"name":"side","image":"s"}]}}}})";
  must(merge("editor", more));
  const auto renamed = [](std::string text) { return text.replace(text.find("name: c,"), 8, "name: d,"); };
  const auto v = must(apply("one", renamed(web())));
  std::string names;
  for (const auto& c : v["spec"]["template"]["spec"]["containers"].items()) names += std::string(c["name"].str()) + " ";
  CHECK(names == "side d ");
}

TEST_CASE_METHOD(ApplyFixture, "Updates and patches are tracked under the name that is given, or the client's") {
  Request r = request(Verb::kCreate, "configmaps", "default", {}, config_map("a"));
  r.user_agent = "tool/v1.2 (linux)";
  const auto made = must(ask(r));
  CHECK(json::write(entry(made, "tool", "Update")["fieldsV1"]) == R"({"f:data":{".":{},"f:k":{}}})");
  Request p = request(Verb::kPatch, "configmaps", "default", "a", R"({"data":{"l":"2","k":"2"}})");
  p.options.emplace_back("fieldManager", "editor");
  const auto changed = must(ask(p));
  CHECK(json::write(entry(changed, "editor", "Update")["fieldsV1"]) == R"({"f:data":{"f:k":{},"f:l":{}}})");
  CHECK(json::write(entry(changed, "tool", "Update")["fieldsV1"]) == R"({"f:data":{}})");
  p.options[0].second = std::string(129, 'x');
  CHECK(ask(p).status == 422);
}

TEST_CASE_METHOD(ApplyFixture, "An update keeps the managed fields when it leaves them out, and gives them up when it sends none") {
  must(apply("one", web()));
  auto v = live();
  v["metadata"].erase("managedFields");
  v["spec"].set("replicas", 5);
  const auto kept = must(update("deployments.apps", "default", "web", v));
  CHECK_FALSE(entry(kept, "one", "Apply")["fieldsV1"]["f:spec"].has("f:replicas"));
  const auto conflict = apply("one", web("replicas: 2"));
  CHECK(value(conflict)["message"].str() == "Apply failed with 1 conflict: conflict with \"\" using apps/v1: .spec.replicas");
  auto none = live();
  none["metadata"].set("managedFields", json::Value::array());
  CHECK_FALSE(must(update("deployments.apps", "default", "web", none))["metadata"].has("managedFields"));
  CHECK_FALSE(must(merge("editor", R"({"metadata":{"labels":{"x":"y"}}})"))["metadata"].has("managedFields"));  // not tracked any more
  const auto refused = apply("one", web());
  CHECK(value(refused)["message"].str() == "Apply failed with 1 conflict: conflict with \"before-first-apply\" using apps/v1: .spec.replicas");
}

TEST_CASE_METHOD(ApplyFixture, "Status and scale are managed apart") {
  must(apply("one", web()));
  const auto status = must(apply("controller", "apiVersion: apps/v1\nkind: Deployment\nstatus: {replicas: 1, readyReplicas: 1}\n", false, "deployments.apps", "web", "status"));
  CHECK(status["status"]["readyReplicas"].integer() == 1);
  CHECK(entry(status, "controller", "Apply")["subresource"].str() == "status");
  const auto scale = apply("scaler", "apiVersion: autoscaling/v1\nkind: Scale\nspec: {replicas: 7}\n", false, "deployments.apps", "web", "scale");
  CHECK(scale.status == 409);
  CHECK(must(apply("scaler", "apiVersion: autoscaling/v1\nkind: Scale\nspec: {replicas: 7}\n", true, "deployments.apps", "web", "scale"))["spec"]["replicas"].integer() == 7);
  CHECK(json::write(entry(live(), "scaler", "Apply")["fieldsV1"]) == R"({"f:spec":{"f:replicas":{}}})");
  CHECK(entry(live(), "scaler", "Apply")["subresource"].str() == "scale");
  CHECK(value(apply("one", web()))["message"].str() == "Apply failed with 1 conflict: conflict with \"scaler\" with subresource \"scale\": .spec.replicas");
}

TEST_CASE_METHOD(ApplyFixture, "kubectl may take over what it has set on the client's side before") {
  json::Value object = *json::parse_yaml(web());
  object["metadata"]["annotations"].set("kubectl.kubernetes.io/last-applied-configuration", json::write(*json::parse_yaml(web())) + "\n");
  Request r = request(Verb::kCreate, "deployments.apps", "default", {}, json::write(object));
  r.options.emplace_back("fieldManager", "kubectl-client-side-apply");
  must(ask(r));
  CHECK(apply("other", web("replicas: 4")).status == 409);
  const auto v = must(apply("kubectl", web("replicas: 4")));
  CHECK(v["spec"]["replicas"].integer() == 4);
  const auto last = json::parse(v["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].str());
  REQUIRE(last.ok());
  CHECK((*last)["spec"]["replicas"].integer() == 4);
}

TEST_CASE_METHOD(ApplyFixture, "Of many who update, the oldest become one") {
  must(create("configmaps", "default", config_map("a")));
  for (int i = 0; i < 14; ++i) {
    Request p = request(Verb::kPatch, "configmaps", "default", "a", R"({"data":{"k)" + std::to_string(i) + R"(":"1"}})");
    p.options.emplace_back("fieldManager", "m" + std::to_string(i));
    must(ask(p));
    loop.advance(std::chrono::seconds(2));
  }
  const auto v = must(get("configmaps", "default", "a"));
  CHECK(v["metadata"]["managedFields"].size() == 10);
  const auto old = entry(v, "ancient-changes", "Update");
  CHECK(old["fieldsV1"]["f:data"].has("f:k0"));
  CHECK(old["fieldsV1"]["f:data"].has("f:k4"));
  CHECK_FALSE(entry(v, "m13", "Update").is_null());
}

TEST_CASE_METHOD(ApplyFixture, "What is applied is checked before it is merged") {
  const auto unknown = apply("me", web("replica: 2"));
  CHECK(unknown.status == 500);
  CHECK(value(unknown)["message"].str() == "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema");
  CHECK(apply("me", "apiVersion: v1\nkind: Deployment\n").status == 400);
  CHECK(apply("me", "a: [").status == 400);
  CHECK(apply("me", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {managedFields: [{manager: x}]}\n").status == 400);
  CHECK(apply("me", web("replicas: -1")).status == 422);
  CHECK(apply("me", web("replicas: two")).status == 400);
  Request r = request(Verb::kPatch, "configmaps", "default", "a", "{}");
  r.options.emplace_back("force", "true");
  CHECK(ask(r).status == 422);
}

TEST_CASE_METHOD(ApplyFixture, "A dry run of an apply changes nothing") {
  Request r = request(Verb::kPatch, "deployments.apps", "default", "web", web());
  r.content_type = "application/apply-patch+yaml";
  r.options = {{"fieldManager", "me"}, {"dryRun", "All"}};
  CHECK(ask(r).status == 201);
  CHECK(get("deployments.apps", "default", "web").status == 404);
}

TEST_CASE_METHOD(ApplyFixture, "Whoever may patch but not create does not create by applying") {
  must(create("roles.rbac.authorization.k8s.io", "default", R"({"metadata":{"name":"r"},"rules":[{"apiGroups":["apps"],"resources":["deployments"],"verbs":["patch"]}]})"));
  must(create("rolebindings.rbac.authorization.k8s.io", "default", R"({"metadata":{"name":"r"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"},
    "subjects":[{"kind":"User","name":"joe","apiGroup":"rbac.authorization.k8s.io"}]})"));
  user = somebody("joe");
  CHECK(apply("me", web()).status == 403);
}

}  // namespace lotse::api
