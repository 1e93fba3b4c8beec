#include "core/operator/use.h"

#include <catch2/catch.hpp>

using namespace lotse;
using namespace lotse::ops;

namespace {

json::Value summary(int64_t node_ns, int64_t pod_ns) {
  return *json::parse_yaml("node: {cpu: {usageCoreNanoSeconds: " + std::to_string(node_ns) + "}, memory: {workingSetBytes: 1073741824}}\npods:\n- podRef: {name: web, namespace: default, uid: u1}\n  cpu: {usageCoreNanoSeconds: " +
                           std::to_string(pod_ns) + "}\n  memory: {workingSetBytes: 4096}\n- podRef: {name: new, namespace: other, uid: u2}\n  cpu: {}\n  memory: {}\n");
}

}  // namespace

TEST_CASE("use is what was used between two readings, by the time that lay between them") {
  std::map<std::string, Reading> readings;
  readings["a"] = {summary(1'000'000'000, 500'000'000), summary(4'000'000'000, 1'000'000'000), std::chrono::seconds(2), ""};
  readings["b"].problem = "no session";
  auto node = [](const char* name) { return Object::from_value(*json::parse_yaml(std::string("kind: Node\nmetadata: {name: ") + name + "}\nstatus: {allocatable: {cpu: '4', memory: 4Gi}}\n"), 1); };
  const auto nodes = use_of_nodes({node("b"), node("a")}, readings);
  REQUIRE(nodes.size() == 2);
  CHECK(nodes[0].cpu_milli == 1500);
  CHECK(nodes[0].cpu_of == 4000);
  CHECK(nodes[0].memory == 1 << 30);
  CHECK(!nodes[1].cpu_milli);
  CHECK(nodes[1].problem == "no session");
  const auto pods = use_of_pods(readings, "");
  REQUIRE(pods.size() == 2);
  CHECK(pods[0].cpu_milli == 250);
  CHECK(!pods[1].cpu_milli);  // no figure is not the figure 0
  CHECK(use_of_pods(readings, "other").size() == 1);
}
