#include "unit/api/fixture.h"

namespace lotse::api {

TEST_CASE_METHOD(ServerFixture, "An update needs the version that it was made from, if it names one") {
  auto v = must(create("configmaps", "default", config_map("a")));
  const json::Value old = v;
  v["data"].set("k", "2");
  const auto second = must(update("configmaps", "default", "a", v));
  CHECK(second["metadata"]["resourceVersion"].str() != v["metadata"]["resourceVersion"].str());
  CHECK(second["metadata"]["uid"].str() == v["metadata"]["uid"].str());
  const auto lost = update("configmaps", "default", "a", old);
  CHECK(lost.status == 409);
  CHECK(value(lost)["reason"].str() == "Conflict");
  json::Value blind = old;
  blind["metadata"].erase("resourceVersion");
  CHECK(update("configmaps", "default", "a", blind).status == 200);
  blind["metadata"].set("uid", "other");
  CHECK(update("configmaps", "default", "a", blind).status == 409);
}

TEST_CASE_METHOD(ServerFixture, "An update that changes nothing makes no revision") {
  const auto v = must(create("configmaps", "default", config_map("a")));
  const auto before = store->revision();
  CHECK(must(update("configmaps", "default", "a", v))["metadata"]["resourceVersion"].str() == v["metadata"]["resourceVersion"].str());
  CHECK(must(patch("configmaps", "default", "a", R"({"data":{"k":"1"}})"))["metadata"]["resourceVersion"].str() == v["metadata"]["resourceVersion"].str());
  CHECK(store->revision() == before);
}

TEST_CASE_METHOD(ServerFixture, "What only the server sets cannot be changed") {
  auto v = must(create("configmaps", "default", config_map("a")));
  const std::string born(v["metadata"]["creationTimestamp"].str());
  v["metadata"].set("creationTimestamp", "2001-01-01T00:00:00Z").set("deletionTimestamp", "2001-01-01T00:00:00Z");
  const auto now = must(update("configmaps", "default", "a", v));
  CHECK(now["metadata"]["creationTimestamp"].str() == born);
  CHECK_FALSE(now["metadata"].has("deletionTimestamp"));
  v["metadata"].set("name", "b");
  CHECK(update("configmaps", "default", "a", v).status == 400);
}

TEST_CASE_METHOD(ServerFixture, "A PUT creates only those kinds that upstream creates") {
  CHECK(update("configmaps", "default", "new", *json::parse(config_map("new"))).status == 404);
  const auto lease = *json::parse(R"({"metadata":{"name":"l","namespace":"default"},"spec":{"holderIdentity":"me"}})");
  CHECK(update("leases.coordination.k8s.io", "default", "l", lease).status == 201);
  CHECK(update("leases.coordination.k8s.io", "default", "l", lease).status == 422);  // needs a resourceVersion from now on
}

TEST_CASE_METHOD(ServerFixture, "Patches of all three kinds") {
  must(create("pods", "default", pod("p")));
  const auto merged = must(patch("pods", "default", "p", R"({"metadata":{"labels":{"app":null,"x":"y"}}})"));
  CHECK_FALSE(merged["metadata"]["labels"].has("app"));
  CHECK(merged["metadata"]["labels"]["x"].str() == "y");
  const auto listed = must(patch("pods", "default", "p", R"([{"op":"add","path":"/metadata/labels/z","value":"1"},{"op":"remove","path":"/metadata/labels/x"}])", "json"));
  CHECK(listed["metadata"]["labels"]["z"].str() == "1");
  const auto strategic = must(patch("pods", "default", "p", R"({"spec":{"containers":[{"name":"c","image":"other"}]}})", "strategic-merge"));
  CHECK(strategic["spec"]["containers"].at(0)["image"].str() == "other");
  CHECK(patch("pods", "default", "p", R"([{"op":"test","path":"/metadata/name","value":"q"}])", "json").status == 422);
  CHECK(patch("pods", "default", "p", R"({"op":"test"})", "json").status == 400);
  CHECK(patch("pods", "default", "p", R"({"metadata":{"name":"q"}})").status == 400);
  CHECK(patch("pods", "default", "p", R"({"metadata":{"resourceVersion":"1"}})").status == 409);
  CHECK(patch("pods", "default", "p", "{}", "other").status == 415);
  CHECK(patch("pods", "default", "no", "{}").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "Status is changed through its subresource, and nothing else is") {
  must(create("pods", "default", pod("p")));
  const auto tried = must(patch("pods", "default", "p", R"({"status":{"phase":"Running"}})"));
  CHECK(tried["status"]["phase"].str() == "Pending");
  auto r = request(Verb::kPatch, "pods", "default", "p", R"({"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"evil"}]},"status":{"phase":"Running"}})");
  r.subresource = "status";
  const auto v = must(ask(r));
  CHECK(v["status"]["phase"].str() == "Running");
  CHECK(v["spec"]["containers"].at(0)["image"].str() == "busybox");
}

TEST_CASE_METHOD(ServerFixture, "Scale shows and sets the number of replicas alone") {
  must(create("deployments.apps", "default", R"({"metadata":{"name":"web"},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},
    "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})"));
  auto r = request(Verb::kGet, "deployments.apps", "default", "web");
  r.subresource = "scale";
  auto scale = must(ask(r));
  CHECK(scale["kind"].str() == "Scale");
  CHECK(scale["spec"]["replicas"].integer() == 2);
  CHECK(scale["status"]["selector"].str() == "app=web");
  scale["spec"].set("replicas", 5);
  r.verb = Verb::kUpdate;
  r.body = json::write_bytes(scale);
  CHECK(must(ask(r))["spec"]["replicas"].integer() == 5);
  CHECK(ask(r).status == 409);  // made from an older version
  r.verb = Verb::kPatch;
  r.content_type = "application/merge-patch+json";
  r.body = Bytes(R"({"spec":{"replicas":-1}})");
  CHECK(ask(r).status == 422);
  r.body = Bytes(R"({"spec":{"replicas":1}})");
  CHECK(must(ask(r))["spec"]["replicas"].integer() == 1);
  const auto web = must(get("deployments.apps", "default", "web"));
  CHECK(web["spec"]["replicas"].integer() == 1);
  CHECK(web["metadata"]["generation"].integer() == 3);
}

TEST_CASE_METHOD(ServerFixture, "A patch is tried again when somebody else was quicker") {
  must(create("configmaps", "default", config_map("a")));
  // The store refuses the first commit: another change comes between reading and writing.
  std::optional<Response> answer;
  auto r = request(Verb::kPatch, "configmaps", "default", "a", R"({"data":{"mine":"1"}})");
  r.peer.trusted = user;
  state.hold_events();  // the ring does not know of the other's change while the patch reads
  auto other = request(Verb::kPatch, "configmaps", "default", "a", R"({"data":{"other":"1"}})");
  other.peer.trusted = user;
  std::optional<Response> first;
  server->handle(other, [&](Response x) { first = std::move(x); });
  server->handle(r, [&](Response x) { answer = std::move(x); });
  state.release_events();
  settle();
  REQUIRE(answer.has_value());
  CHECK(must(*answer)["data"]["mine"].str() == "1");
  CHECK(must(get("configmaps", "default", "a"))["data"]["other"].str() == "1");
}

TEST_CASE_METHOD(ServerFixture, "A change that the store does not answer is answered in time all the same, once") {
  state.hold_events();
  auto r = request(Verb::kCreate, "configmaps", "default", {}, config_map("slow"));
  r.peer.trusted = user;
  int answers = 0, status = 0;
  server->handle(r, [&](Response x) { ++answers, status = x.status; });
  settle();
  CHECK(answers == 0);
  loop.advance(std::chrono::seconds(70));
  CHECK(answers == 1);
  CHECK(status == 504);
  state.release_events();
  settle();
  CHECK(answers == 1);
  CHECK(get("configmaps", "default", "slow").status == 200);  // it was made after all
}

}  // namespace lotse::api
