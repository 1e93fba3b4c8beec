// What the spread policy prefers, one behaviour a case; and that it keeps the contract.
#include <catch2/catch.hpp>

#include "plugins/scheduler_spread/spread_policy.h"
#include "sdk/conformance/scheduler/cases.h"
#include "sdk/conformance/scheduler/driver.h"

namespace lotse {
namespace {
using namespace check::scheduler;
const std::string kHostname = "kubernetes.io/hostname", kZone = "topology.kubernetes.io/zone";

const lotse_scheduler* make() {
  static const lotse_host host{sizeof(lotse_host), 0, nullptr, "0.1.0",
                               [](void*, const char*) -> const void* { return nullptr; }};
  sdk::Config config(sdk::Msg::map({{"preemption", true}}));
  return reinterpret_cast<const lotse_scheduler*>(
      (new scheduler_spread::SpreadPolicy(sdk::Host(&host), config))->c_instance());
}

// Nodes n0 and n1 in zone west, n2 alone in zone east.
struct Fixture : Driver {
  Fixture() : Driver(make()) {
    for (int i = 0; i < 3; ++i) {
      ModelNode n;
      n.name = "n" + std::to_string(i);
      n.labels = {{kHostname, n.name}, {kZone, i == 2 ? "east" : "west"}};
      set(n);
    }
  }
  void on(const std::string& node, ModelPod p) {
    p.name += "@" + node;
    p.node = node;
    set(p);
  }
  static ModelPod pod(const std::string& name, const std::string& owner = "", const std::string& app = "",
                      int64_t cpu = 100) {
    ModelPod p;
    p.name = name, p.owner = owner;
    p.requests = {{"cpu", cpu}, {"memory", 64 << 20}};
    if (!app.empty()) p.labels = {{"app", app}, {"pod-template-hash", owner}};
    return p;
  }
  std::string place(const ModelPod& p) { return schedule({p}, 1)[0].node; }
  std::map<std::string, int> place(int count, const std::string& owner) {
    std::vector<ModelPod> batch;
    for (int i = 0; i < count; ++i) batch.push_back(pod(owner + std::to_string(i), owner));
    std::map<std::string, int> by_node;
    for (const Answer& a : schedule(batch, 7)) ++by_node[a.node];
    return by_node;
  }
};
}  // namespace

TEST_CASE_METHOD(Fixture, "pods of one owner go to zones first, then to nodes") {
  CHECK(place(4, "rs") == std::map<std::string, int>{{"n0", 1}, {"n1", 1}, {"n2", 2}});
}

TEST_CASE_METHOD(Fixture, "evenness goes before load") {
  on("n0", pod("big", "", "", 3000)), on("n1", pod("p", "rs")), on("n2", pod("p", "rs"));
  CHECK(place(pod("next", "rs")) == "n0");
}

TEST_CASE_METHOD(Fixture, "pods that nobody belongs to go where most is left") {
  on("n0", pod("a", "", "", 500)), on("n1", pod("b", "", "", 200)), on("n2", pod("c", "", "", 300));
  CHECK(place(pod("next")) == "n1");
}

TEST_CASE_METHOD(Fixture, "pods of one service with different owners keep away from each other") {
  on("n2", pod("old", "rs-1", "web")), on("n0", pod("old", "rs-1", "web")), on("n1", pod("load", "", "", 2000));
  CHECK(place(pod("new", "rs-2", "web")) == "n1");    // one in each zone already, but none on n1
  CHECK(place(pod("newer", "rs-2", "web")) == "n2");  // now there are two in the west
}

TEST_CASE_METHOD(Fixture, "what a pod asks for goes before evenness") {
  on("n1", pod("p", "rs"));
  ModelPod wants = pod("wants", "rs");
  wants.node_preferred = {{{{kHostname, LOTSE_OP_IN, {"n1"}, false}}, 1}};
  CHECK(place(wants) == "n1");
  ModelPod soft = pod("soft", "rs", "db");
  soft.spread.push_back({{{{"app", LOTSE_OP_IN, {"db"}, false}}, 0}, kHostname, 1, 0, false});
  on("n0", pod("x", "", "db")), on("n2", pod("x", "", "db"));
  CHECK(place(soft) == "n1");
}

TEST_CASE_METHOD(Fixture, "pods that are ending do not count") {
  ModelPod ending = pod("p", "rs");
  ending.terminating = true;
  on("n0", ending), on("n1", pod("p", "rs")), on("n2", pod("p", "rs"));
  CHECK(place(pod("next", "rs")) == "n0");
}

TEST_CASE("the spread policy conforms") {
  for (const auto& c : scheduler_cases()) {
    INFO(c.name << ": " << c.says);
    CHECK(c.run(make) == "");
  }
}

}  // namespace lotse
