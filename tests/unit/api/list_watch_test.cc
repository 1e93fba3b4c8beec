#include "core/api/client.h"
#include "unit/api/fixture.h"

namespace lotse::api {
namespace {

struct Watching {
  std::shared_ptr<Received> sink = std::make_shared<Received>();
  StreamPtr stream;
  std::string types() {
    std::string text;
    for (const auto& item : sink->items) {
      const auto v = *json::parse(item);
      text += (text.empty() ? "" : " ") + std::string(v["type"].str()) + ":" + std::string(v["object"]["metadata"]["name"].str());
    }
    return text;
  }
  json::Value last() { return *json::parse(sink->items.back()); }
};

Watching open(ServerFixture& f, Request r, uint64_t credit = 1 << 20) {
  Watching w;
  auto response = f.ask(std::move(r));
  INFO(response.text());
  REQUIRE(response.status == 200);
  REQUIRE(response.stream);
  w.stream = *response.stream(w.sink);
  if (credit) w.stream->grant(credit);
  f.settle();
  return w;
}

}  // namespace

TEST_CASE_METHOD(ServerFixture, "Lists are cut into pages that fit together") {
  for (char c = 'a'; c < 'h'; ++c) must(create("configmaps", "default", config_map(std::string(1, c))));
  auto r = request(Verb::kList, "configmaps", "default");
  r.options = {{"limit", "3"}};
  auto page = must(ask(r));
  CHECK(page["kind"].str() == "ConfigMapList");
  CHECK(page["items"].size() == 3);
  CHECK(page["metadata"]["remainingItemCount"].integer() == 4);
  must(remove("configmaps", "default", "g"));
  std::string names;
  while (true) {
    for (const auto& item : page["items"].items()) names += item["metadata"]["name"].str();
    const std::string token(page["metadata"]["continue"].str());
    if (token.empty()) break;
    r.options = {{"limit", "3"}, {"continue", token}};
    page = must(ask(r));
  }
  CHECK(names == "abcdefg");  // as it was when the first page was read
  r.options = {{"continue", "nonsense"}};
  CHECK(ask(r).status == 400);
  r.options = {{"limit", "-1"}};
  CHECK(ask(r).status == 400);
}

TEST_CASE_METHOD(ServerFixture, "A token whose revision is gone comes with one that goes on") {
  for (char c = 'a'; c < 'f'; ++c) must(create("configmaps", "default", config_map(std::string(1, c))));
  auto r = request(Verb::kList, "configmaps", "default");
  r.options = {{"limit", "2"}};
  const std::string token(must(ask(r))["metadata"]["continue"].str());
  must(create("configmaps", "default", config_map("z")));
  REQUIRE(store->compact(store->revision()).ok());
  r.options.emplace_back("continue", token);
  const auto gone = ask(r);
  CHECK(gone.status == 410);
  CHECK(value(gone)["reason"].str() == "Expired");
  r.options[1].second = value(gone)["metadata"]["continue"].str();
  CHECK(must(ask(r))["items"].at(0)["metadata"]["name"].str() == "c");
}

TEST_CASE_METHOD(ServerFixture, "Which revision a list shows") {
  const auto first = must(create("configmaps", "default", config_map("a", "old")));
  const std::string at(first["metadata"]["resourceVersion"].str());
  must(patch("configmaps", "default", "a", R"({"data":{"k":"new"}})"));
  const auto shown = [&](std::vector<std::pair<std::string, std::string>> options) {
    auto r = request(Verb::kList, "configmaps", "default");
    r.options = std::move(options);
    auto answer = ask(r);
    return answer.status == 200 ? std::string(value(answer)["items"].at(0)["data"]["k"].str()) : std::to_string(answer.status);
  };
  CHECK(shown({}) == "new");
  CHECK(shown({{"resourceVersion", "0"}}) == "new");
  CHECK(shown({{"resourceVersion", at}}) == "new");
  CHECK(shown({{"resourceVersion", at}, {"resourceVersionMatch", "NotOlderThan"}}) == "new");
  CHECK(shown({{"resourceVersion", at}, {"resourceVersionMatch", "Exact"}}) == "old");
  CHECK(shown({{"resourceVersion", at}, {"limit", "5"}}) == "old");
  CHECK(shown({{"resourceVersion", "0"}, {"resourceVersionMatch", "Exact"}}) == "422");
  CHECK(shown({{"resourceVersionMatch", "Exact"}}) == "422");
  CHECK(shown({{"resourceVersion", at}, {"resourceVersionMatch", "Sometimes"}}) == "422");
  CHECK(shown({{"resourceVersion", "999999999"}}) == "504");
  CHECK(shown({{"resourceVersion", "x"}}) == "400");
}

TEST_CASE_METHOD(ServerFixture, "Selectors of labels and fields") {
  must(create("pods", "default", pod("a")));
  must(create("pods", "default", pod("b", "node-1")));
  const auto names = [&](const char* option, const char* text) {
    auto r = request(Verb::kList, "pods", "default");
    r.options = {{option, text}};
    auto answer = ask(r);
    if (answer.status != 200) return std::to_string(answer.status);
    const json::Value v = value(answer);
    std::string all;
    for (const auto& item : v["items"].items()) all += item["metadata"]["name"].str();
    return all;
  };
  CHECK(names("labelSelector", "app=web") == "ab");
  CHECK(names("labelSelector", "app!=web") == "");
  CHECK(names("fieldSelector", "spec.nodeName=node-1") == "b");
  CHECK(names("fieldSelector", "metadata.name=a") == "a");
  CHECK(names("fieldSelector", "spec.hostname=x") == "400");
  CHECK(names("labelSelector", "a=(") == "400");
}

TEST_CASE_METHOD(ServerFixture, "Metadata alone, as objects and lists") {
  must(create("configmaps", "default", config_map("a")));
  auto r = request(Verb::kGet, "configmaps", "default", "a");
  r.accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
  const auto one = must(ask(r));
  CHECK(one["kind"].str() == "PartialObjectMetadata");
  CHECK(one["metadata"]["name"].str() == "a");
  CHECK_FALSE(one.has("data"));
  r = request(Verb::kList, "configmaps", "default");
  r.accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
  CHECK(must(ask(r))["kind"].str() == "PartialObjectMetadataList");
}

TEST_CASE_METHOD(ServerFixture, "A watch without a revision begins with what there is") {
  must(create("configmaps", "default", config_map("a")));
  auto w = open(*this, request(Verb::kWatch, "configmaps", "default"));
  CHECK(w.types() == "ADDED:a");
  must(patch("configmaps", "default", "a", R"({"data":{"k":"2"}})"));
  must(remove("configmaps", "default", "a"));
  settle();
  CHECK(w.types() == "ADDED:a MODIFIED:a DELETED:a");
  CHECK(w.last()["object"]["metadata"]["resourceVersion"].str() == std::to_string(store->revision()));
}

TEST_CASE_METHOD(ServerFixture, "A watch from a revision gives what came after it") {
  const auto a = must(create("configmaps", "default", config_map("a")));
  must(create("configmaps", "default", config_map("b")));
  auto r = request(Verb::kWatch, "configmaps", "default");
  r.options = {{"resourceVersion", std::string(a["metadata"]["resourceVersion"].str())}};
  auto w = open(*this, r);
  CHECK(w.types() == "ADDED:b");
  r.options[0].second = "0";
  CHECK(open(*this, r).types() == "ADDED:a ADDED:b");
}

TEST_CASE_METHOD(ServerFixture, "A watch from a compacted revision is an ERROR event of code 410") {
  for (const char* n : {"a", "b", "c"}) must(create("configmaps", "default", config_map(n)));
  REQUIRE(store->compact(store->revision()).ok());
  auto r = request(Verb::kWatch, "configmaps", "default");
  r.options = {{"resourceVersion", "2"}};
  auto w = open(*this, r);
  CHECK(w.last()["type"].str() == "ERROR");
  CHECK(w.last()["object"]["code"].integer() == 410);
  CHECK(w.sink->ended);
}

TEST_CASE_METHOD(ServerFixture, "Bookmarks come every minute to those who want them, when something has happened") {
  auto r = request(Verb::kWatch, "configmaps", "default");
  r.options = {{"allowWatchBookmarks", "true"}};
  auto w = open(*this, r);
  must(create("configmaps", "kube-system", config_map("elsewhere")));
  CHECK(w.sink->items.empty());
  loop.advance(std::chrono::seconds(61));
  settle();
  REQUIRE(w.sink->items.size() == 1);
  CHECK(w.last()["type"].str() == "BOOKMARK");
  CHECK(w.last()["object"]["metadata"]["resourceVersion"].str() == std::to_string(store->revision()));
  loop.advance(std::chrono::seconds(61));
  CHECK(w.sink->items.size() == 1);
}

TEST_CASE_METHOD(ServerFixture, "A streaming list ends with an annotated bookmark") {
  must(create("configmaps", "default", config_map("a")));
  auto r = request(Verb::kWatch, "configmaps", "default");
  r.options = {{"sendInitialEvents", "true"}, {"resourceVersionMatch", "NotOlderThan"}, {"allowWatchBookmarks", "true"}};
  auto w = open(*this, r);
  REQUIRE(w.sink->items.size() == 2);
  CHECK(w.last()["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].str() == "true");
  r.options = {{"sendInitialEvents", "true"}};
  CHECK(ask(r).status == 422);
}

TEST_CASE_METHOD(ServerFixture, "A watch gives no more than its client has asked for, and ends when its time is up") {
  for (int i = 0; i < 50; ++i) must(create("configmaps", "default", config_map("c" + std::to_string(i), std::string(2000, 'x'))));
  auto r = request(Verb::kWatch, "configmaps", "default");
  r.options = {{"timeoutSeconds", "30"}};
  auto w = open(*this, r, 5000);
  CHECK(w.sink->items.size() <= 3);
  w.stream->grant(1 << 20);
  settle();
  CHECK(w.sink->items.size() == 50);
  loop.advance(std::chrono::seconds(31));
  settle();
  CHECK(w.sink->ended);
  CHECK(w.sink->status.ok());
}

TEST_CASE_METHOD(ServerFixture, "Nothing comes to a watch that was given up") {
  auto w = open(*this, request(Verb::kWatch, "configmaps", "default"));
  w.stream.reset();
  settle();
  CHECK(w.sink->ended);
  must(create("configmaps", "default", config_map("a")));
  settle();
  CHECK(w.sink->items.empty());
}

TEST_CASE_METHOD(ServerFixture, "A client lists, and follows from there") {
  Client client(*server, loop, admin(), "test");
  const ResourceRef kind{"", "v1", "configmaps"};
  must(create("configmaps", "default", config_map("a")));
  ListOptions options;
  std::string seen;
  client.list(kind, "default", {}, [&](Result<ObjectList> r) {
    REQUIRE(r.ok());
    for (const auto& item : r->items) seen += "=" + item->header().name;
    options.resource_version = r->resource_version;
  });
  settle();
  REQUIRE(seen == "=a");
  Status ended(Reason::kInternalError, "");
  Handle handle = client.watch(kind, "default", options, [&](WatchEvent e) {
    REQUIRE(e.object->revision() > 0);
    seen += (e.type == WatchEvent::Type::kDeleted ? "-" : "+") + e.object->header().name;
  }, [&](Status s) { ended = s; });
  settle();
  ObjectPtr made;
  client.create(kind, "default", *json::parse(config_map("b")), [&](Result<ObjectPtr> r) { made = *r; });
  settle();
  REQUIRE(made);
  json::Value edited = made->value();
  edited["data"].set("k", "2");
  client.update(kind, "default", std::move(edited), [&](Result<ObjectPtr> r) { CHECK((*r)->value()["data"]["k"].str() == "2"); });
  settle();
  client.remove(kind, "default", "a", {}, [&](Result<ObjectPtr> r) { CHECK(r.status().reason != Reason::kNotFound); });
  client.get(kind, "default", "zzz", [&](Result<ObjectPtr> r) { CHECK(r.status().reason == Reason::kNotFound); });
  settle();
  CHECK(seen == "=a+b+b-a");
  handle.reset();
  must(create("configmaps", "default", config_map("c")));
  settle();
  CHECK(seen == "=a+b+b-a");
}

}  // namespace lotse::api
