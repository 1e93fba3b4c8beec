#include <catch2/catch.hpp>

#include "unit/schema/edit.h"

using namespace lotse;
using namespace lotse::schema;

namespace {

std::string merged(std::string_view kind, std::string_view original, std::string_view patch) {
  auto* type = find_type("io.k8s.api." + std::string(kind));
  REQUIRE(type);
  auto v = strategic_merge(*type, yaml(original), yaml(patch));
  return v.ok() ? json::write(*v) : "refused: " + v.status().message;
}

std::string pod(std::string_view original, std::string_view patch) {
  return merged("core.v1.PodSpec", original, patch);
}

}  // namespace

TEST_CASE("lists with a merge key merge by it") {
  CHECK(pod("containers: [{name: a, image: x, args: [p]}, {name: b, image: y}]",
            "containers: [{name: b, image: z}, {name: c, image: w}]") ==
        R"({"containers":[{"args":["p"],"image":"x","name":"a"},{"image":"z","name":"b"},{"image":"w","name":"c"}]})");
  CHECK(
      pod("containers: [{name: a, ports: [{containerPort: 80, name: x}], env: [{name: A, value: '1'}]}]",
          "containers: [{name: a, ports: [{containerPort: 80, name: z}], env: [{name: B, value: '2'}]}]") ==
      R"({"containers":[{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"name":"a","ports":[{"containerPort":80,"name":"z"}]}]})");
  CHECK(pod("containers: [{name: a, image: x}]", "containers: [{image: y}]")
            .starts_with("refused: invalid strategic merge patch"));
}

TEST_CASE("lists without one are replaced, and null removes") {
  CHECK(pod("containers: [{name: a, args: [p, q]}]", "containers: [{name: a, args: [r]}]") ==
        R"({"containers":[{"args":["r"],"name":"a"}]})");
  CHECK(pod("tolerations: [{key: a}]", "tolerations: [{key: b}]") == R"({"tolerations":[{"key":"b"}]})");
  CHECK(pod("hostname: a\nsubdomain: b", "hostname: null") == R"({"subdomain":"b"})");
  CHECK(pod("nodeSelector: {a: '1', b: '2'}", "nodeSelector: {a: null, c: '3'}") ==
        R"({"nodeSelector":{"b":"2","c":"3"}})");
}

TEST_CASE("$patch deletes, replaces and merges") {
  CHECK(pod("containers: [{name: a}, {name: b}]", "containers: [{name: a, $patch: delete}]") ==
        R"({"containers":[{"name":"b"}]})");
  CHECK(pod("containers: [{name: a}, {name: b}]", "containers: [{$patch: replace}, {name: c}]") ==
        R"({"containers":[{"name":"c"}]})");
  CHECK(pod("securityContext: {runAsUser: 1, fsGroup: 2}", "securityContext: {$patch: replace, fsGroup: 3}") ==
        R"({"securityContext":{"fsGroup":3}})");
  CHECK(pod("securityContext: {runAsUser: 1}", "securityContext: {$patch: delete}") == R"({"securityContext":{}})");
  CHECK(pod("hostname: a", "$patch: explode").starts_with("refused"));
}

TEST_CASE("$setElementOrder orders what merges") {
  CHECK(pod("containers: [{name: a}, {name: b}, {name: c}]",
            "$setElementOrder/containers: [{name: c}, {name: a}, {name: b}]\ncontainers: [{name: b, image: x}]") ==
        R"({"containers":[{"name":"c"},{"name":"a"},{"image":"x","name":"b"}]})");
  CHECK(pod("containers: [{name: a}, {name: b}]", "$setElementOrder/containers: [{name: b}, {name: a}]") ==
        R"({"containers":[{"name":"b"},{"name":"a"}]})");
  CHECK(merged("core.v1.Pod", "metadata: {finalizers: [a/1, b/1]}",
               "metadata: {$setElementOrder/finalizers: [b/1, c/1, a/1], finalizers: [c/1]}") ==
        R"({"metadata":{"finalizers":["b/1","c/1","a/1"]}})");
}

TEST_CASE("$retainKeys keeps only what it names") {
  CHECK(pod("volumes: [{name: v, emptyDir: {}}]",
            "volumes: [{name: v, $retainKeys: [name, configMap], configMap: {name: c}}]") ==
        R"({"volumes":[{"configMap":{"name":"c"},"name":"v"}]})");
  CHECK(merged("apps.v1.DeploymentSpec", "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}",
               "strategy: {$retainKeys: [type], type: Recreate}") == R"({"strategy":{"type":"Recreate"}})");
  CHECK(pod("volumes: [{name: v}]", "volumes: [{name: v, $retainKeys: [name], emptyDir: {}}]").starts_with("refused"));
}

TEST_CASE("primitive lists merge as sets and lose what $deleteFromPrimitiveList names") {
  CHECK(merged("core.v1.Pod", "metadata: {finalizers: [a/1]}", "metadata: {finalizers: [b/1, a/1]}") ==
        R"({"metadata":{"finalizers":["a/1","b/1"]}})");
  CHECK(merged("core.v1.Pod", "metadata: {finalizers: [a/1, b/1]}",
               "metadata: {$deleteFromPrimitiveList/finalizers: [a/1]}") == R"({"metadata":{"finalizers":["b/1"]}})");
}

TEST_CASE("directives never stay in the result") {
  const std::string out = pod("hostname: a",
                              "containers: [{name: c, $patch: merge, env: [{name: A, $patch: delete}, {name: "
                              "B}]}]\naffinity: {nodeAffinity: null, podAffinity: {}}");
  CHECK(out == R"({"affinity":{"podAffinity":{}},"containers":[{"env":[{"name":"B"}],"name":"c"}],"hostname":"a"})");
}
