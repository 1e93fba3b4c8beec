// What the default policy prefers and says, one behaviour a case.
#include <catch2/catch.hpp>

#include "plugins/scheduler_binpack/binpack_policy.h"
#include "plugins/scheduler_default/default_policy.h"
#include "sdk/conformance/scheduler/driver.h"

namespace lotse {
namespace {
using namespace check::scheduler;
using Kind = Answer::Kind;

const lotse_host* bare_host() {
  static const lotse_host host{sizeof(lotse_host), 0, nullptr, "0.1.0",
                               [](void*, const char*) -> const void* { return nullptr; }};
  return &host;
}
template <class Policy>
const lotse_scheduler* make() {
  sdk::Config config(sdk::Msg::map({{"owner_spread", true}, {"preemption", true}}));
  return reinterpret_cast<const lotse_scheduler*>((new Policy(sdk::Host(bare_host()), config))->c_instance());
}

struct Fixture : Driver {
  Fixture() : Driver(make<scheduler_default::DefaultPolicy>()) {}
  void nodes(int count) {
    for (int i = 0; i < count; ++i) {
      ModelNode n;
      n.name = "n" + std::to_string(i);
      n.labels = {{"kubernetes.io/hostname", n.name}, {"topology.kubernetes.io/zone", i % 2 ? "east" : "west"}};
      set(n);
    }
  }
  static ModelPod pod(const std::string& name, int64_t cpu = 100) {
    ModelPod p;
    p.name = name;
    p.requests = {{"cpu", cpu}, {"memory", 64 << 20}};
    return p;
  }
  Answer ask(const ModelPod& p, uint64_t seed = 1) { return schedule({p}, seed)[0]; }
};
}  // namespace

TEST_CASE_METHOD(Fixture, "an emptier node is preferred") {
  nodes(3);
  ModelPod a = pod("a", 3000), b = pod("b", 2000);
  a.node = "n0", b.node = "n2";
  set(a), set(b);
  CHECK(ask(pod("p")).node == "n1");
}

TEST_CASE("binpack fills the fullest node that fits") {
  Driver d(make<scheduler_binpack::BinpackPolicy>());
  for (const char* name : {"a", "b", "c"}) {
    ModelNode n;
    n.name = name;
    d.set(n);
  }
  ModelPod big = Fixture::pod("big", 3000), mid = Fixture::pod("mid", 2000);
  big.node = "b", mid.node = "c";
  d.set(big), d.set(mid);
  CHECK(d.schedule({Fixture::pod("p", 500)}, 1)[0].node == "b");
  CHECK(d.schedule({Fixture::pod("q", 1500)}, 1)[0].node == "c");
}

TEST_CASE("a filter of one's own may look at labels, which pods of one size need not share") {
  struct Night : scheduling::PolicyPlugin {
    Night(const sdk::Host& host, const sdk::Config&) : PolicyPlugin(host, profile()) {}
    static scheduling::Profile profile() {
      auto p = scheduling::default_profile();
      p.filters.push_back([](const scheduling::Shape& shape, const scheduling::Node&, const scheduling::Snapshot&) {
        return scheduling::label(shape.labels, "shift") ? scheduling::Refusal() : scheduling::Refusal{{"by day"}, false};
      });
      return p;
    }
  };
  Driver d(make<Night>());
  ModelNode n;
  n.name = "a";
  d.set(n);
  ModelPod day = Fixture::pod("day"), night = Fixture::pod("night");
  night.labels = {{"shift", "night"}};
  CHECK(d.schedule({day}, 1)[0].kind == Kind::kRefuse);
  CHECK(d.schedule({night}, 1)[0].node == "a");
}

TEST_CASE_METHOD(Fixture, "pods of one owner are spread over nodes and zones") {
  nodes(4);
  std::vector<ModelPod> batch;
  for (int i = 0; i < 8; ++i) {
    ModelPod p = pod("p" + std::to_string(i));
    p.owner = "rs";
    batch.push_back(p);
  }
  std::map<std::string, int> count;
  for (const Answer& a : schedule(batch, 7)) ++count[a.node];
  for (const auto& [node, n] : count) CHECK(n == 2);
}

TEST_CASE_METHOD(Fixture, "reasons are those of upstream") {
  nodes(1);
  ModelNode n;
  n.name = "x";
  n.taints = {{"dedicated", "db", LOTSE_NO_SCHEDULE}};
  set(n);
  n.name = "y", n.taints = {}, n.unschedulable = true;
  set(n);
  n.name = "z", n.unschedulable = false, n.allocatable["pods"] = 0;
  set(n);
  ModelPod p = pod("p", 9000);
  p.requests["memory"] = 100ll << 30;
  Answer a = ask(p);
  CHECK(a.reasons["n0"] == std::vector<std::string>{"Insufficient cpu", "Insufficient memory"});
  CHECK(a.reasons["x"] == std::vector<std::string>{"node(s) had untolerated taint {dedicated: db}"});
  CHECK(a.reasons["y"] == std::vector<std::string>{"node(s) were unschedulable"});
  CHECK(a.reasons["z"] == std::vector<std::string>{"Too many pods", "Insufficient cpu", "Insufficient memory"});
  p = pod("q");
  p.node_selector = {{"disk", "ssd"}};
  CHECK(ask(p).reasons["n0"] == std::vector<std::string>{"node(s) didn't match Pod's node affinity/selector"});
}

TEST_CASE_METHOD(Fixture, "preferred node affinity outweighs emptiness") {
  nodes(3);
  ModelPod p = pod("p");
  p.node_preferred = {{{{"kubernetes.io/hostname", LOTSE_OP_IN, {"n2"}, false}}, 100}};
  ModelPod there = pod("there", 2000);
  there.node = "n2";
  set(there);
  CHECK(ask(p).node == "n2");
}

TEST_CASE_METHOD(Fixture, "preferred pod affinity draws pods together") {
  nodes(4);
  ModelPod db = pod("db");
  db.labels = {{"app", "db"}}, db.node = "n3";
  set(db);
  ModelPod p = pod("p");
  p.affinity = {{{{{"app", LOTSE_OP_IN, {"db"}, false}}, 0}, "kubernetes.io/hostname", 100}};
  CHECK(ask(p).node == "n3");
}

TEST_CASE_METHOD(Fixture, "the image's node is preferred among equals") {
  nodes(3);
  ModelNode n = cluster.nodes[1];
  n.images = {{"big:1", 4ll << 30}};
  set(n);
  ModelPod p = pod("p");
  p.images = {"big:1"};
  CHECK(ask(p).node == n.name);
}

TEST_CASE_METHOD(Fixture, "preemption takes the least important pods, then the fewest, then the youngest") {
  nodes(3);
  auto full = [&](const char* name, const char* node, int32_t priority, int64_t cpu, int64_t start) {
    ModelPod p = pod(name, cpu);
    p.node = node, p.priority = priority, p.start_unix_ns = start;
    set(p);
  };
  ModelPod p = pod("p", 4000);
  p.priority = 100;
  full("a", "n0", 10, 4000, 1), full("b1", "n1", 5, 2000, 1), full("b2", "n1", 5, 2000, 1), full("c", "n2", 5, 4000, 1);
  Answer a = ask(p);
  REQUIRE(a.kind == Kind::kPreempt);
  CHECK(a.node == "n2");
  full("a", "n0", 5, 4000, 9);
  CHECK(ask(p).node == "n0");
}

TEST_CASE_METHOD(Fixture, "a nominated pod waits while its victims end") {
  nodes(1);
  ModelPod v = pod("v", 4000);
  v.node = "n0", v.terminating = true;
  set(v);
  ModelPod p = pod("p", 4000);
  p.priority = 10, p.nominated = "n0";
  CHECK(ask(p).kind == Kind::kRefuse);
}

TEST_CASE_METHOD(Fixture, "nothing is preempted where only the node itself is in the way") {
  nodes(1);
  ModelPod low = pod("low", 100);
  low.node = "n0";
  set(low);
  ModelPod p = pod("p", 5000);
  p.priority = 10;
  CHECK(ask(p).kind == Kind::kRefuse);
}

}  // namespace lotse
