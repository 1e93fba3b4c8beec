#include <catch2/catch.hpp>

#include "unit/schema/edit.h"

using namespace lotse;
using namespace lotse::schema;

TEST_CASE("the table knows kinds, types and fields") {
  auto* pods = find("", "v1", "pods");
  REQUIRE(pods);
  CHECK(pods->kind == "Pod");
  CHECK(pods->api_version() == "v1");
  CHECK(pods->has_status());
  CHECK(pods->subresource("binding")->kind == "Binding");
  CHECK(pods->subresource("eviction")->group == "policy");
  CHECK(pods->subresource("none") == nullptr);
  CHECK(find_kind("apps/v1", "Deployment") == find("apps", "v1", "deployments"));
  CHECK(find_kind("autoscaling/v1", "Scale")->resource == "");
  CHECK(find("autoscaling", "v1", "") == nullptr);
  CHECK(find("", "v2", "pods") == nullptr);
  auto* spec = pods->type->field("spec")->type();
  REQUIRE(spec);
  CHECK(spec->name() == "io.k8s.api.core.v1.PodSpec");
  auto* containers = spec->field("containers");
  CHECK(containers->shape() == Shape::kArray);
  CHECK(containers->item_shape() == Shape::kObject);
  CHECK(containers->patch_merge_key() == "name");
  CHECK(containers->merge() == Merge::kMapByKeys);
  CHECK(containers->list_keys()[0] == "name");
  CHECK(containers->required());
  CHECK(spec->field("restartPolicy")->choices().contains("OnFailure"));
  CHECK(spec->field("nothing") == nullptr);
}

TEST_CASE("every type is whole: names sorted, fields found, types resolved") {
  for (const ResourceInfo* r : all()) {
    REQUIRE(r->type);
    CHECK(find_type(r->type->name()) == r->type);
    std::string_view last;
    for (const FieldInfo& f : r->type->fields()) {
      CHECK(last < f.name());
      last = f.name();
      CHECK(r->type->field(f.name()) == &f);
      const bool object = f.shape() == Shape::kObject || ((f.shape() == Shape::kArray || f.shape() == Shape::kMap) &&
                                                          f.item_shape() == Shape::kObject);
      CHECK(object == (f.type() != nullptr));
    }
  }
}

TEST_CASE("pruning drops what no field has and tells where it was") {
  auto& r = *find("", "v1", "pods");
  json::Value v = yaml(
      "{apiVersion: v1, kind: Pod, x: 1, metadata: {name: a, labels: {}, z: 2}, spec: {nodeName: null, containers: "
      "[{name: c, imagee: z, args: []}],"
      "volumes: [{name: v, emptyDir: {}}]}}");
  std::vector<std::string> unknown;
  prune(r, &v, &unknown);
  CHECK(unknown == std::vector<std::string>{"metadata.z", "spec.containers[0].imagee", "x"});
  CHECK(
      json::write(v) ==
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}],"volumes":[{"emptyDir":{},"name":"v"}]}})");
}

TEST_CASE("a value of the wrong type is a bad request") {
  auto& r = *find("", "v1", "pods");
  const auto check = [&](std::string_view text) { return check_types(r, yaml(text)); };
  CHECK(
      check(
          "{spec: {containers: [{name: a, resources: {limits: {cpu: 1, memory: 1Gi}}}], activeDeadlineSeconds: null}}")
          .ok());
  for (std::string_view bad :
       {"{spec: []}", "{spec: {containers: {}}}", "{spec: {containers: [1]}}", "{spec: {containers: [{name: 1}]}}",
        "{spec: {hostNetwork: 'true'}}", "{spec: {activeDeadlineSeconds: 1.5}}", "{spec: {activeDeadlineSeconds: '1'}}",
        "{spec: {priority: 3000000000}}", "{metadata: {labels: {a: 1}}}", "{metadata: {creationTimestamp: yesterday}}",
        "{spec: {overhead: {cpu: 1x}}}", "{spec: {nodeSelector: [a]}}", "[]"}) {
    INFO(bad);
    const Status s = check(bad);
    CHECK(s.reason == Reason::kBadRequest);
  }
  CHECK(check("{spec: {containers: [{name: 1}]}}").message ==
        R"(Pod in version "v1" cannot be handled as a Pod: spec.containers[0].name: a string is expected, not 1)");
  CHECK_FALSE(check_types(*find("", "v1", "secrets"), yaml("{data: {a: '***'}}")).ok());
}

TEST_CASE("generation counts changes of the spec, status changes go the status way only") {
  auto& r = *find("apps", "v1", "deployments");
  json::Value made = admitted(r,
                              yaml("{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 7}, spec: "
                                   "{replicas: 2}, status: {replicas: 9}}"),
                              nullptr, Operation::kCreate);
  CHECK(made["metadata"]["generation"].integer() == 1);
  CHECK(std::as_const(made)["status"].size() == 0);
  json::Value next = made;
  edit(&next, "status.replicas=5 ; metadata.labels.a=\"b\"");
  next = admitted(r, std::move(next), &made, Operation::kUpdate);
  CHECK(std::as_const(next)["metadata"]["generation"].integer() == 1);
  CHECK(std::as_const(next)["status"].size() == 0);
  edit(&next, "spec.replicas=3");
  next = admitted(r, std::move(next), &made, Operation::kUpdate);
  CHECK(std::as_const(next)["metadata"]["generation"].integer() == 2);
  json::Value status = next;
  edit(&status, "status.replicas=3 ; spec.replicas=8 ; metadata.annotations.x=\"y\" ; metadata.labels.a=\"c\"");
  status = admitted(r, std::move(status), &next, Operation::kUpdateStatus);
  CHECK(std::as_const(status)["status"]["replicas"].integer() == 3);
  CHECK(std::as_const(status)["spec"]["replicas"].integer() == 3);
  CHECK(std::as_const(status)["metadata"]["generation"].integer() == 2);
  CHECK(std::as_const(status)["metadata"]["labels"]["a"].str() == "b");
  CHECK(std::as_const(status)["metadata"]["annotations"]["x"].str() == "y");
}

TEST_CASE("both versions of Event are one object") {
  auto &core = *find("", "v1", "events"), &other = *find("events.k8s.io", "v1", "events");
  CHECK(&storage(other) == &core);
  CHECK(&storage(core) == &core);
  json::Value v = yaml(
      "{apiVersion: v1, kind: Event, involvedObject: {name: a}, message: m, count: 2, source: {component: c}, "
      "reportingComponent: r}");
  const json::Value before = v;
  convert(core, other, &v);
  CHECK(
      json::write(v) ==
      R"({"apiVersion":"events.k8s.io/v1","kind":"Event","deprecatedCount":2,"deprecatedSource":{"component":"c"},"note":"m","regarding":{"name":"a"},"reportingController":"r"})");
  convert(other, core, &v);
  CHECK(v == before);
}

TEST_CASE("names by kind") {
  CHECK(check_name(*find("", "v1", "pods"), "a.b", false).empty());
  CHECK_FALSE(check_name(*find("", "v1", "services"), "a.b", false).empty());
  CHECK_FALSE(check_name(*find("", "v1", "pods"), "a-", false).empty());
  CHECK(check_name(*find("", "v1", "pods"), "a-", true).empty());
  CHECK(check_name(*find("rbac.authorization.k8s.io", "v1", "roles"), "System:Any", false).empty());
}
