// The scheduler with the real policy and the real API server, on a clock of the test's own, as system:kube-scheduler.
#include "core/sched/scheduler.h"

#include "plugins/scheduler_binpack/binpack_policy.h"
#include "plugins/scheduler_default/default_policy.h"
#include "unit/api/fixture.h"

namespace lotse::sched {
namespace {
using namespace std::chrono_literals;

const lotse_host* bare_host() {
  static const lotse_host host{sizeof(lotse_host), 0, nullptr, "0.1.0",
                               [](void*, const char*) -> const void* { return nullptr; }};
  return &host;
}

// Refuses the first bindings, then lets all pass.
struct Flaky : api::Handler {
  explicit Flaky(api::Handler& n) : next(n) {}
  void handle(api::Request r, api::Respond respond) override {
    if (r.subresource == "binding" && refuse > 0) {
      --refuse;
      return respond(api::status_response(Status(Reason::kInternalError, "no luck")));
    }
    next.handle(std::move(r), std::move(respond));
  }
  api::Handler& next;
  int refuse = 0;
};

struct Fixture : api::ServerFixture {
  Fixture() {
    sdk::Config config(sdk::Msg::map({{"owner_spread", true}, {"preemption", true}}));
    normal = std::make_unique<scheduler_default::DefaultPolicy>(sdk::Host(bare_host()), config);
    packing = std::make_unique<scheduler_binpack::BinpackPolicy>(sdk::Host(bare_host()), config);
    scheduler.emplace(
        *store, flaky, loop, loop,
        std::vector<PolicySlot>{
            {{"default-scheduler", "default"}, reinterpret_cast<const lotse_scheduler*>(normal->c_instance())},
            {{"binpack"}, reinterpret_cast<const lotse_scheduler*>(packing->c_instance())}});
    REQUIRE(scheduler->start().ok());
    settle();
  }
  ~Fixture() {
    scheduler.reset();
    settle();
  }
  void node(const std::string& name, const std::string& cpu = "1") {
    must(create("nodes", "", R"({"metadata":{"name":")" + name + R"("}})"));
    ready(name);
    must(patch("nodes", "", name,
               R"({"status":{"allocatable":{"cpu":")" + cpu + R"(","memory":"1Gi","pods":"10"},"capacity":{"cpu":")" +
                   cpu + R"(","memory":"1Gi","pods":"10"}}})",
               "merge", "status"));
  }
  void ready(const std::string& name) { must(patch("nodes", "", name, R"({"spec":{"taints":null}})")); }
  using ServerFixture::patch;
  api::Response patch(std::string_view resource, std::string_view ns, std::string_view name, std::string_view body,
                      std::string_view type, std::string_view subresource) {
    api::Request r = request(api::Verb::kPatch, resource, ns, name, body);
    r.content_type = "application/" + std::string(type) + "-patch+json";
    r.subresource = subresource;
    return ask(std::move(r));
  }
  void pod(const std::string& name, const std::string& cpu = "500m", const std::string& more = "") {
    must(create("pods", "default",
                R"({"metadata":{"name":")" + name + R"("},"spec":{"terminationGracePeriodSeconds":0,)" + more +
                    R"("containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":")" + cpu + R"("}}}]}})"));
    settle();
  }
  std::string place(const std::string& name) {
    auto r = get("pods", "default", name);
    return r.status == 404 ? "gone" : std::string(value(r)["spec"]["nodeName"].str());
  }
  std::string scheduled(const std::string& name) {
    const json::Value v = value(get("pods", "default", name));
    for (const auto& c : v["status"]["conditions"].items())
      if (c["type"].str() == "PodScheduled")
        return std::string(c["status"].str()) + " " + std::string(c["message"].str());
    return "";
  }
  std::string events(const std::string& about) {
    std::string out;
    const json::Value all = value(list("events", "default"));
    for (const auto& e : all["items"].items())
      if (e["involvedObject"]["name"].str() == about)
        out += std::string(e["reason"].str()) + ": " + std::string(e["message"].str()) + "\n";
    return out;
  }
  void wait(Duration d) {
    loop.advance(d);
    settle();
  }

  Flaky flaky{*server};
  std::unique_ptr<scheduler_default::DefaultPolicy> normal;
  std::unique_ptr<scheduler_binpack::BinpackPolicy> packing;
  std::optional<Scheduler> scheduler;
};
}  // namespace

TEST_CASE_METHOD(Fixture, "a pod is bound to a node that fits, and an event says so") {
  node("n1");
  pod("p");
  CHECK(place("p") == "n1");
  CHECK(scheduled("p") == "True ");
  CHECK(events("p") == "Scheduled: Successfully assigned default/p to n1\n");
  CHECK(scheduler->counters().pending == 0);
}

TEST_CASE_METHOD(Fixture, "a pod that fits nowhere says why and is placed when a node comes") {
  node("small", "100m");
  pod("p");
  const std::string why =
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful "
      "for scheduling.";
  CHECK(scheduled("p") == "False " + why);
  CHECK(events("p") == "FailedScheduling: " + why + "\n");
  node("big");
  wait(1s);
  CHECK(place("p") == "big");
}

TEST_CASE_METHOD(Fixture, "room that a deleted pod leaves is given to who waits for it") {
  node("n1");
  pod("a", "800m");
  pod("b", "800m");
  CHECK(place("b") == "");
  must(remove("pods", "default", "a", R"({"gracePeriodSeconds":0})"));
  wait(1s);
  CHECK(place("b") == "n1");
}

TEST_CASE_METHOD(Fixture, "a more important pod takes the place of a less important one") {
  must(create("priorityclasses.scheduling.k8s.io", "", R"({"metadata":{"name":"high"},"value":1000})"));
  node("n1");
  pod("low", "800m");
  REQUIRE(place("low") == "n1");
  // The kubelet would end it; here it stays until somebody does.
  must(patch("pods", "default", "low", R"({"metadata":{"finalizers":["example.com/hold"]}})"));
  pod("high", "800m", R"("priorityClassName":"high",)");
  CHECK(value(get("pods", "default", "high"))["status"]["nominatedNodeName"].str() == "n1");
  const json::Value low = value(get("pods", "default", "low"));
  CHECK(low["metadata"].has("deletionTimestamp"));
  CHECK(events("low").find("Preempted: Preempted by pod ") != std::string::npos);
  // The room is kept: a pod of the same kind as the victim does not get it.
  pod("another", "800m");
  must(patch("pods", "default", "low", R"({"metadata":{"finalizers":null}})"));
  if (place("low") != "gone") must(remove("pods", "default", "low", R"({"gracePeriodSeconds":0})"));
  wait(2s);
  CHECK(place("high") == "n1");
  CHECK(place("another") == "");
}

TEST_CASE_METHOD(Fixture, "a gated pod waits until the gate is taken away") {
  node("n1");
  pod("p", "100m", R"("schedulingGates":[{"name":"example.com/wait"}],)");
  CHECK(place("p") == "");
  must(patch("pods", "default", "p", R"({"spec":{"schedulingGates":null}})"));
  settle();
  CHECK(place("p") == "n1");
}

TEST_CASE_METHOD(Fixture, "policies can be swapped: the new ones know all that there is, and no pod is lost") {
  node("n1", "4"), node("n2", "4");
  pod("first", "1");
  pod("foreign", "1", R"("schedulerName":"packs",)");
  CHECK(place("foreign") == "");
  // In flight while the policies change: created, but not settled.
  must(create("pods", "default", R"({"metadata":{"name":"between"},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"1"}}}]}})"));
  sdk::Config config(sdk::Msg::map({{"preemption", true}}));
  auto fresh = std::make_unique<scheduler_binpack::BinpackPolicy>(sdk::Host(bare_host()), config);
  scheduler->set_policies({{{"default-scheduler", "packs"}, reinterpret_cast<const lotse_scheduler*>(fresh->c_instance())}});
  settle();
  CHECK(place("between") != "");
  CHECK(place("foreign") != "");  // there is somebody now who serves that name
  std::map<std::string, int> until_now;
  for (const char* name : {"first", "foreign", "between"}) ++until_now[place(name)];
  pod("packed", "1");
  CHECK(place("packed") == (until_now["n1"] > until_now["n2"] ? "n1" : "n2"));  // it packs
  // 4 cpus each: had the new policy not known of the pods before it, it would overfill a node.
  for (int i = 0; i < 6; ++i) pod("more" + std::to_string(i), "1");
  std::map<std::string, int> count;
  for (const char* name : {"first", "foreign", "between", "packed", "more0", "more1", "more2", "more3", "more4", "more5"}) ++count[place(name)];
  CHECK(count == std::map<std::string, int>{{"n1", 4}, {"n2", 4}, {"", 2}});
  normal = nullptr, packing = nullptr;  // nobody calls the old ones any more
  pod("last", "100m");
  CHECK(events("last").find("FailedScheduling") != std::string::npos);
  scheduler.reset();
  settle();
}

TEST_CASE_METHOD(Fixture, "schedulerName chooses the policy; one that nobody serves is left alone") {
  node("n1", "4"), node("n2", "4");
  pod("first", "1");
  const std::string filled = place("first");
  pod("packed", "1", R"("schedulerName":"binpack",)");
  CHECK(place("packed") == filled);
  pod("spread", "1");
  CHECK(place("spread") != filled);
  pod("foreign", "1", R"("schedulerName":"elsewhere",)");
  CHECK(place("foreign") == "");
  CHECK(events("foreign") == "");
}

TEST_CASE_METHOD(Fixture, "a binding that was refused is tried again, and the room was given back") {
  node("n1");
  flaky.refuse = 1;
  pod("p", "800m");
  CHECK(place("p") == "");
  CHECK(scheduler->counters().bind_errors == 1);
  wait(1s);
  CHECK(place("p") == "n1");
}

TEST_CASE_METHOD(Fixture, "a cordoned node gets nothing; uncordoned it does") {
  node("n1");
  must(patch("nodes", "", "n1", R"({"spec":{"unschedulable":true}})"));
  pod("p");
  CHECK(place("p") == "");
  must(patch("nodes", "", "n1", R"({"spec":{"unschedulable":null,"taints":null}})"));
  wait(1s);
  CHECK(place("p") == "n1");
}

}  // namespace lotse::sched
