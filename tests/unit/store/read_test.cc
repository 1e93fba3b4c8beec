#include "unit/store/fixture.h"

namespace lotse::store {
namespace {

std::string names(const ListPage& page) {
  std::string text;
  for (const auto& item : page.items) text += (text.empty() ? "" : " ") + item->header().ns + "/" + item->header().name;
  return text;
}

}  // namespace

TEST_CASE_METHOD(StoreFixture, "A list is in the order of keys, of one namespace or all") {
  for (const char* n : {"c", "a", "b"}) REQUIRE(put(config("one", n, "1")).ok());
  REQUIRE(put(config("two", "a", "1")).ok());
  REQUIRE(put(config("on", "z", "1")).ok());
  CHECK(names(*store->list({"configmaps", "one"})) == "one/a one/b one/c");
  CHECK(names(*store->list({"configmaps"})) == "on/z one/a one/b one/c two/a");
  CHECK(names(*store->list({"secrets"})).empty());
  CHECK(store->count("configmaps", "") == 5);
  CHECK(store->count("configmaps", "one") == 3);
}

TEST_CASE_METHOD(StoreFixture, "Pages continue at the revision of the first, whatever happens in between") {
  for (int i = 0; i < 30; ++i) REQUIRE(put(config("n", "x" + std::to_string(10 + i), "1")).ok());
  ListQuery query{"configmaps", "n"};
  query.limit = 12;
  auto page = store->list(query);
  REQUIRE(page.ok());
  CHECK(page->more);
  CHECK(page->remaining == 18);
  std::set<std::string> seen;
  const uint64_t revision = page->revision;
  while (true) {
    for (const auto& item : page->items) seen.insert(item->header().name);
    if (!page->more) break;
    const auto& last = page->items.back()->header();
    REQUIRE(remove(key("n", "x39" == last.name ? "x10" : "x39")).status().reason != Reason::kInternalError);
    REQUIRE(put(config("n", "y" + last.name, "1")).ok());
    query.revision = revision;
    query.after_ns = last.ns;
    query.after_name = last.name;
    page = store->list(query);
    REQUIRE(page.ok());
    CHECK(page->revision == revision);
  }
  CHECK(seen.size() == 30);
}

TEST_CASE_METHOD(StoreFixture, "A list with selectors gives what matches, with a limit too") {
  for (int i = 0; i < 20; ++i) {
    REQUIRE(put(config("n", "x" + std::to_string(10 + i), "1", {{"odd", i % 2 ? "yes" : "no"}})).ok());
  }
  ListQuery query{"configmaps", "n"};
  query.labels = *LabelSelector::parse("odd=yes");
  query.limit = 3;
  auto page = store->list(query);
  CHECK(names(*page) == "n/x11 n/x13 n/x15");
  CHECK(page->more);
  query.limit = 0;
  CHECK(store->list(query)->items.size() == 10);
  query.fields = *FieldSelector::parse("metadata.name=x13");
  CHECK(names(*store->list(query)) == "n/x13");
}

TEST_CASE_METHOD(StoreFixture, "A past revision can be listed until it is compacted") {
  const auto first = put(config("n", "x", "old"));
  REQUIRE(put(config("n", "x", "new")).ok());
  ListQuery query{"configmaps", "n"};
  query.revision = first->revision;
  CHECK(store->list(query)->items[0]->value()["data"]["k"].str() == "old");
  REQUIRE(store->compact(store->revision()).ok());
  CHECK(store->list(query).status().reason == Reason::kExpired);
}

TEST_CASE_METHOD(StoreFixture, "Owners and nodes are indexed, across changes and restarts") {
  const auto pod = [&](const std::string& name, const std::string& node, const std::string& owner) {
    json::Value v = json::Value::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
    v["metadata"].set("name", name).set("namespace", "n");
    if (!owner.empty()) {
      v["metadata"]["ownerReferences"].push(json::Value::object({{"kind", "ReplicaSet"}, {"name", "r"}, {"uid", owner}}));
    }
    if (!node.empty()) v["spec"].set("nodeName", node);
    Write w;
    w.key = {"pods", "n", name};
    w.object = Object::from_value(std::move(v), 0);
    REQUIRE(commit_and_wait(*store, std::move(w)).ok());
  };
  pod("a", "", "u1");
  pod("b", "node-1", "u1");
  pod("a", "node-1", "u1");
  pod("c", "node-2", "u2");
  CHECK(store->owned_by("u1", "pods").size() == 2);
  CHECK(store->owned_by("u1", "configmaps").empty());
  CHECK(store->on_node("node-1").size() == 2);
  pod("b", "node-1", "");
  CHECK(store->owned_by("u1", "").size() == 1);
  store.reset();
  store = reopen({});
  CHECK(store->owned_by("u1", "").size() == 1);
  CHECK(store->on_node("node-2").size() == 1);
  REQUIRE(remove({"pods", "n", "c"}).ok());
  CHECK(store->on_node("node-2").empty());
}

}  // namespace lotse::store
