#include <catch2/catch.hpp>

#include "core/schema/field_set.h"

namespace lotse::schema {
namespace {

json::Value v(std::string_view yaml) {
  auto value = json::parse_yaml(yaml);
  INFO(yaml);
  REQUIRE(value.ok());
  return *value;
}
const TypeInfo& pod() { return *find_kind("v1", "Pod")->type; }
const TypeInfo& deployment() { return *find_kind("apps/v1", "Deployment")->type; }
std::string text(const json::Value& value) { return json::write(value); }

}  // namespace

TEST_CASE("The algebra of sets of fields keeps apart a member and what is below it") {
  const auto a = v(R"({"f:spec":{"f:x":{},"f:list":{".":{},"k:{\"name\":\"a\"}":{}}}})");
  const auto b = v(R"({"f:spec":{"f:list":{}}})");
  CHECK(text(subtract(a, b)) == R"({"f:spec":{"f:list":{"k:{\"name\":\"a\"}":{}},"f:x":{}}})");
  CHECK(text(subtract_deep(a, b)) == R"({"f:spec":{"f:x":{}}})");
  CHECK(text(intersect(a, b)) == text(b));
  CHECK(unite(subtract(a, b), b) == a);
  CHECK_FALSE(has_fields(subtract(a, a)));
  CHECK(field_paths(a) == std::vector<std::string>{".spec.list", R"(.spec.list[name="a"])", ".spec.x"});
  CHECK_FALSE(is_field_set(v(R"({"spec":{}})")));
  CHECK_FALSE(is_field_set(v(R"({"f:spec":1})")));
}

TEST_CASE("What a document says is told by the list types of its fields") {
  const auto set = fields_of(pod(), v(R"(
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: web}, finalizers: [x/y]}
spec:
  nodeSelector: {disk: ssd}
  tolerations: [{key: a}]
  containers:
  - name: c
    args: [a, b]
    ports: [{containerPort: 80}]
    securityContext: {}
)"));
  CHECK(field_paths(set) == std::vector<std::string>{
                                ".metadata.finalizers[=\"x/y\"]", ".metadata.labels.app", ".spec.containers[name=\"c\"]", ".spec.containers[name=\"c\"].args",
                                ".spec.containers[name=\"c\"].name", ".spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"]",
                                ".spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].containerPort",
                                ".spec.containers[name=\"c\"].securityContext", ".spec.nodeSelector", ".spec.tolerations"});
}

TEST_CASE("A new object's fields are its author's, as upstream tells them") {
  const auto now = v(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, uid: u, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, resources: {}}], securityContext: {}}
)");
  CHECK(text(compare_fields(deployment(), nullptr, now).added) ==
        R"({"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{},)"
        R"("f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}},"f:type":{}},)"
        R"("f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:resources":{}}},)"
        R"("f:securityContext":{}}}}})");
  CHECK(text(compare_fields(deployment(), nullptr, now).modified) == R"({"f:spec":{"f:selector":{}}})");
  CHECK(compare_fields(deployment(), &now, now).none());
}

TEST_CASE("A comparison tells what went, what changed and what came") {
  const auto before = v("{metadata: {labels: {a: x, b: x}}, spec: {containers: [{name: one, image: i}, {name: two, image: i}]}}");
  const auto now = v("{metadata: {labels: {a: y, c: x}}, spec: {containers: [{name: three, image: i}, {name: one, image: j}]}}");
  const auto changes = compare_fields(pod(), &before, now);
  CHECK(field_paths(changes.removed) == std::vector<std::string>{".metadata.labels.b", ".spec.containers[name=\"two\"]", ".spec.containers[name=\"two\"].image",
                                                                 ".spec.containers[name=\"two\"].name"});
  CHECK(field_paths(changes.modified) == std::vector<std::string>{".metadata.labels.a", ".spec.containers[name=\"one\"].image"});
  CHECK(field_paths(changes.added) == std::vector<std::string>{".metadata.labels.c", ".spec.containers[name=\"three\"]", ".spec.containers[name=\"three\"].image",
                                                               ".spec.containers[name=\"three\"].name"});
}

TEST_CASE("Applying merges lists by their keys, and keeps the order of both sides") {
  const auto live = v("{spec: {containers: [{name: a, image: x}, {name: b, image: x}, {name: c, image: x}], nodeSelector: {k: v}}}");
  const auto merged = merge_applied(pod(), live, v("{spec: {containers: [{name: c, image: z}, {name: d}, {name: a}], nodeSelector: {l: w}}}"));
  std::string order;
  for (const auto& c : merged["spec"]["containers"].items()) order += c["name"].str();
  CHECK(order == "bcda");
  CHECK(merged["spec"]["containers"].at(1)["image"].str() == "z");
  CHECK(merged["spec"]["containers"].at(3)["image"].str() == "x");
  CHECK(text(merged["spec"]["nodeSelector"]) == R"({"l":"w"})");  // atomic
}

TEST_CASE("Fields are taken out by item and by name") {
  const auto live = v("{metadata: {labels: {a: x, b: x}}, spec: {containers: [{name: a, image: x}, {name: b, image: x}]}}");
  const auto left = without_fields(pod(), live, v(R"({"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{},"k:{\"name\":\"b\"}":{"f:image":{}}}}})"));
  CHECK(text(left) == R"({"metadata":{"labels":{"b":"x"}},"spec":{"containers":[{"name":"b"}]}})");
}

TEST_CASE("What is applied must be of the type, with each item once") {
  CHECK(check_applied(pod(), v("{spec: {containers: [{name: a, imag: x}]}}")) == ".spec.containers[name=\"a\"].imag: field not declared in schema");
  CHECK(check_applied(pod(), v("{spec: {containers: [{name: a}, {name: a}]}}")) == ".spec.containers: duplicate entries for key [name=\"a\"]");
  CHECK(check_applied(pod(), v("{spec: {containers: [{image: a}]}}")).starts_with(".spec.containers: element 0: "));
  CHECK(check_applied(pod(), v("{metadata: {labels: {any: x}}}")).empty());
}

}  // namespace lotse::schema
