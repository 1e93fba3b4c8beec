#include "unit/api/fixture.h"

namespace lotse::api {
namespace {

std::string bound(const char* name) { return ServerFixture::pod(name, "node-1"); }

}  // namespace

TEST_CASE_METHOD(ServerFixture, "A delete answers with a Status that names what went") {
  const auto v = must(create("configmaps", "default", config_map("a")));
  const auto r = must(remove("configmaps", "default", "a"));
  CHECK(r["status"].str() == "Success");
  CHECK(r["details"]["uid"].str() == v["metadata"]["uid"].str());
  CHECK(remove("configmaps", "default", "a").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "Preconditions of a delete") {
  const auto v = must(create("configmaps", "default", config_map("a")));
  CHECK(remove("configmaps", "default", "a", R"({"preconditions":{"uid":"other"}})").status == 409);
  CHECK(remove("configmaps", "default", "a", R"({"preconditions":{"resourceVersion":"1"}})").status == 409);
  const std::string uid(v["metadata"]["uid"].str());
  CHECK(remove("configmaps", "default", "a", R"({"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":")" + uid + R"("}})").status == 200);
}

TEST_CASE_METHOD(ServerFixture, "A pod that runs nowhere goes at once") {
  must(create("pods", "default", pod("p")));
  CHECK(must(remove("pods", "default", "p"))["metadata"]["name"].str() == "p");
  CHECK(get("pods", "default", "p").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "A pod on a node is given its grace period, which may only be shortened") {
  must(create("pods", "default", bound("p")));
  const auto ending = must(remove("pods", "default", "p"));
  CHECK(ending["metadata"]["deletionGracePeriodSeconds"].integer() == 30);
  const auto due = parse_time(ending["metadata"]["deletionTimestamp"].str());
  CHECK(*due - clock.now() <= std::chrono::seconds(30));
  CHECK(*due - clock.now() > std::chrono::seconds(28));
  CHECK(must(remove("pods", "default", "p", R"({"gracePeriodSeconds":60})"))["metadata"]["deletionGracePeriodSeconds"].integer() == 30);
  const auto sooner = must(remove("pods", "default", "p", R"({"gracePeriodSeconds":5})"));
  CHECK(sooner["metadata"]["deletionGracePeriodSeconds"].integer() == 5);
  CHECK(must(remove("pods", "default", "p", R"({"gracePeriodSeconds":0})"))["metadata"]["name"].str() == "p");
  CHECK(get("pods", "default", "p").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "A pod that has ended goes at once") {
  must(create("pods", "default", bound("p")));
  auto r = request(Verb::kPatch, "pods", "default", "p", R"({"status":{"phase":"Succeeded"}})");
  r.subresource = "status";
  must(ask(r));
  must(remove("pods", "default", "p"));
  CHECK(get("pods", "default", "p").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "Finalizers hold an object until the last is taken away") {
  must(create("configmaps", "default", R"({"metadata":{"name":"a","finalizers":["example.com/x","example.com/y"]}})"));
  auto v = must(remove("configmaps", "default", "a"));
  CHECK(v["metadata"].has("deletionTimestamp"));
  CHECK(v["metadata"]["deletionGracePeriodSeconds"].integer(-1) == 0);
  CHECK(patch("configmaps", "default", "a", R"({"metadata":{"finalizers":["example.com/x","example.com/z"]}})").status == 422);
  CHECK(patch("configmaps", "default", "a", R"({"metadata":{"finalizers":["example.com/x"]}})").status == 200);
  CHECK(get("configmaps", "default", "a").status == 200);
  CHECK(patch("configmaps", "default", "a", R"({"metadata":{"finalizers":null}})").status == 200);
  CHECK(get("configmaps", "default", "a").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "The propagation policy becomes a finalizer for the garbage collector") {
  for (const auto& [policy, finalizer] : {std::pair("Orphan", "orphan"), std::pair("Foreground", "foregroundDeletion")}) {
    must(create("configmaps", "default", config_map("a")));
    const auto r = remove("configmaps", "default", "a", R"({"propagationPolicy":")" + std::string(policy) + R"("})");
    CHECK(r.status == (std::string(policy) == "Foreground" ? 202 : 200));
    CHECK(value(r)["metadata"]["finalizers"].at(0).str() == finalizer);
    must(patch("configmaps", "default", "a", R"({"metadata":{"finalizers":[]}})"));
  }
  must(create("configmaps", "default", config_map("a")));
  CHECK(remove("configmaps", "default", "a", R"({"propagationPolicy":"Sideways"})").status == 422);
  CHECK(remove("configmaps", "default", "a", R"({"propagationPolicy":"Background"})").status == 200);
  CHECK(get("configmaps", "default", "a").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "A collection is deleted as its selector says") {
  for (const char* n : {"a", "b", "c"}) {
    must(create("configmaps", "default", R"({"metadata":{"name":")" + std::string(n) + R"(","labels":{"n":")" + n + R"("}}})"));
  }
  auto r = request(Verb::kDeleteCollection, "configmaps", "default");
  r.options = {{"labelSelector", "n in (a,c)"}};
  CHECK(must(ask(r))["items"].size() == 2);
  const auto left = must(list("configmaps", "default"));
  REQUIRE(left["items"].size() == 1);
  CHECK(left["items"].at(0)["metadata"]["name"].str() == "b");
}

TEST_CASE_METHOD(ServerFixture, "A namespace ends when its finalizer is taken away") {
  auto ns = must(create("namespaces", "", R"({"metadata":{"name":"n"}})"));
  CHECK(ns["spec"]["finalizers"].at(0).str() == "kubernetes");
  CHECK(ns["metadata"]["labels"]["kubernetes.io/metadata.name"].str() == "n");
  ns = must(remove("namespaces", "", "n"));
  CHECK(ns["status"]["phase"].str() == "Terminating");
  const auto refused = create("configmaps", "n", config_map("a"));
  CHECK(refused.status == 403);
  CHECK(value(refused)["details"]["causes"].at(0)["reason"].str() == "NamespaceTerminating");
  CHECK(remove("namespaces", "", "n").status == 409);
  auto r = request(Verb::kUpdate, "namespaces", "", "n", R"({"metadata":{"name":"n"},"spec":{"finalizers":[]}})");
  r.subresource = "finalize";
  CHECK(ask(r).status == 200);
  CHECK(get("namespaces", "", "n").status == 404);
  CHECK(remove("namespaces", "", "default").status == 403);
}

TEST_CASE_METHOD(ServerFixture, "A pod is bound once") {
  must(create("pods", "default", pod("p")));
  auto r = request(Verb::kCreate, "pods", "default", "p", R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":"node-1"}})");
  r.subresource = "binding";
  CHECK(ask(r).status == 201);
  const auto v = must(get("pods", "default", "p"));
  CHECK(v["spec"]["nodeName"].str() == "node-1");
  CHECK(v["status"]["conditions"].at(0)["type"].str() == "PodScheduled");
  CHECK(ask(r).status == 409);
  r.body = Bytes(R"({"target":{"kind":"Service","name":""}})");
  CHECK(value(ask(r))["details"]["causes"].size() == 2);
}

TEST_CASE_METHOD(ServerFixture, "An eviction asks the disruption budget") {
  must(create("pods", "default", bound("p")));
  auto status = request(Verb::kPatch, "pods", "default", "p", R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})");
  status.subresource = "status";
  must(ask(status));
  must(create("poddisruptionbudgets.policy", "default", R"({"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"web"}}}})"));
  auto evict = request(Verb::kCreate, "pods", "default", "p", R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})");
  evict.subresource = "eviction";
  const auto early = ask(evict);
  CHECK(early.status == 429);
  CHECK(value(early)["details"]["retryAfterSeconds"].integer() == 10);
  const auto budget = [&](int allowed) {
    auto r = request(Verb::kPatch, "poddisruptionbudgets.policy", "default", "b",
                     R"({"status":{"observedGeneration":1,"disruptionsAllowed":)" + std::to_string(allowed) +
                         R"(,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1}})");
    r.subresource = "status";
    must(ask(r));
  };
  budget(0);
  const auto refused = ask(evict);
  CHECK(refused.status == 429);
  CHECK(value(refused)["message"].str() == "Cannot evict pod as it would violate the pod's disruption budget.");
  CHECK(value(refused)["details"]["causes"].at(0)["reason"].str() == "DisruptionBudget");
  budget(1);
  CHECK(ask(evict).status == 201);
  CHECK(must(get("pods", "default", "p"))["metadata"].has("deletionTimestamp"));
  const auto spent = must(get("poddisruptionbudgets.policy", "default", "b"));
  CHECK(spent["status"]["disruptionsAllowed"].integer() == 0);
  CHECK(spent["status"]["disruptedPods"].has("p"));
}

}  // namespace lotse::api
