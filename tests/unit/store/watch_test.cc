#include <random>

#include "unit/store/fixture.h"

namespace lotse::store {

TEST_CASE_METHOD(StoreFixture, "A watch gives every change after its revision, once and in order") {
  const auto first = put(config("a", "x", "1"));
  REQUIRE(put(config("a", "y", "1")).ok());
  REQUIRE(put(config("a", "x", "2")).ok());
  auto cursor = watch({"configmaps", "a", "", {}, {}, first->revision});
  CHECK(story(drain(*cursor)) == "+y ~x");
  REQUIRE(remove(key("a", "y")).ok());
  REQUIRE(put(config("b", "z", "1")).ok());
  CHECK(story(drain(*cursor)) == "-y");
  CHECK(cursor->progress() == store->revision());
}

TEST_CASE_METHOD(StoreFixture, "Who found nothing is woken once when there is more") {
  int woken = 0;
  auto cursor = watch({"configmaps"}, [&] { ++woken; });
  CHECK(cursor->next(10)->empty());
  REQUIRE(put(config("a", "x", "1")).ok());
  REQUIRE(put(config("a", "y", "1")).ok());
  state.settle();
  CHECK(woken == 1);
  CHECK(story(drain(*cursor)) == "+x +y");
}

TEST_CASE_METHOD(StoreFixture, "A selector turns changes into additions and deletions") {
  WatchQuery query{"configmaps", "a"};
  query.labels = *LabelSelector::parse("on=yes");
  auto cursor = watch(query);
  REQUIRE(put(config("a", "x", "1", {{"on", "no"}})).ok());
  CHECK(drain(*cursor).empty());
  REQUIRE(put(config("a", "x", "2", {{"on", "yes"}})).ok());
  REQUIRE(put(config("a", "x", "3", {{"on", "yes"}})).ok());
  const auto out = put(config("a", "x", "4", {{"on", "no"}}));
  const auto events = drain(*cursor);
  REQUIRE(story(events) == "+x ~x -x");
  CHECK(events[2].object->value()["data"]["k"].str() == "3");  // as it last matched
  CHECK(events[2].object->revision() == out->revision);
  REQUIRE(remove(key("a", "x")).ok());
  CHECK(drain(*cursor).empty());
}

TEST_CASE_METHOD(StoreFixture, "A slow reader leaves the ring and misses nothing") {
  Options small;
  small.ring_bytes_max = 20'000;
  store.reset();
  store = reopen(small);
  auto slow = watch({"configmaps", "a"});
  for (int i = 0; i < 3000; ++i) REQUIRE(put(config("a", "x" + std::to_string(i % 7), std::to_string(i))).ok());
  const auto events = drain(*slow);
  REQUIRE(events.size() == 3000);
  for (size_t i = 0; i < events.size(); ++i) CHECK(events[i].object->value()["data"]["k"].str() == std::to_string(i));
  state.settle();
  CHECK(state.watches() == 1);  // back in the ring: only the store's own is left
  REQUIRE(put(config("a", "last", "1")).ok());
  CHECK(story(drain(*slow)) == "+last");
}

TEST_CASE_METHOD(StoreFixture, "Only who needs a compacted revision gets 410") {
  Options small;
  small.ring_bytes_max = 2'000;
  store.reset();
  store = reopen(small);
  auto slow = watch({"configmaps", "a"});
  for (int i = 0; i < 2000; ++i) REQUIRE(put(config("a", "x", std::to_string(i))).ok());
  REQUIRE(store->compact(store->revision()).ok());
  CHECK(slow->next(5000)->size() == 1024);
  CHECK(slow->next(1).status().reason == Reason::kExpired);
  CHECK(store->watch({"configmaps", "a", "", {}, {}, 3}, [] {}).status().reason == Reason::kExpired);
  auto fresh = watch({"configmaps", "a", "", {}, {}, store->revision()});
  REQUIRE(put(config("a", "y", "1")).ok());
  CHECK(story(drain(*fresh)) == "+y");
}

TEST_CASE_METHOD(StoreFixture, "A backend that ends its watch is followed on from where it was") {
  auto cursor = watch({"configmaps"});
  REQUIRE(put(config("a", "x", "1")).ok());
  state.end_watches(LOTSE_UNAVAILABLE);
  REQUIRE(put(config("a", "y", "1")).ok());
  CHECK(story(drain(*cursor)) == "+x +y");
}

TEST_CASE_METHOD(StoreFixture, "Who is told that history is lost can list and follow at once, once") {
  REQUIRE(put(config("default", "a", "1")).ok());
  REQUIRE(store->backup(-1).ok());
  WatchQuery query;
  query.from = store->revision();
  std::unique_ptr<Cursor> cursor;
  int told = 0;
  Status listed(Reason::kInternalError, "not tried"), followed = listed;
  cursor = watch(query, [&] {
    if (cursor->next(1).ok()) return;
    ++told;
    listed = store->list({"configmaps"}).status();
    WatchQuery again;
    again.from = store->revision();
    followed = store->watch(again, [] {}).status();
  });
  REQUIRE(cursor->next(1)->empty());
  REQUIRE(store->restore(-1).ok());
  state.settle();
  CHECK(told == 1);
  CHECK(listed.message == "");
  CHECK(followed.message == "");
}

TEST_CASE_METHOD(StoreFixture, "A restored cluster never travels back") {
  const auto before = put(config("a", "x", "1"));
  REQUIRE(store->backup(-1).ok());
  const auto lost = put(config("a", "y", "1"));
  auto cursor = watch({"configmaps"});
  REQUIRE(store->restore(-1).ok());
  state.settle();
  CHECK(cursor->next(1).status().reason == Reason::kExpired);
  CHECK(store->revision() > lost->revision);
  CHECK((*store->get(key("a", "x")))->revision() > lost->revision);
  CHECK_FALSE(store->exists(key("a", "y")));
  CHECK(store->watch({"configmaps", "", "", {}, {}, before->revision}, [] {}).status().reason == Reason::kExpired);
  CHECK(put(config("a", "x", "2"), before->revision).status().reason == Reason::kConflict);
  auto fresh = watch({"configmaps"});
  const auto after = put(config("a", "z", "1"), 0);
  REQUIRE(after.ok());
  CHECK(after->revision > lost->revision);
  CHECK(story(drain(*fresh)) == "+z");
}

TEST_CASE_METHOD(StoreFixture, "What is older than the window is compacted, by a timer that runs only after changes") {
  store.reset();
  Options options;
  options.loop = &loop;
  store = reopen(options);
  loop.advance(std::chrono::hours(1));
  CHECK(state.compactions == 0);
  const auto old = put(config("a", "x", "1"));
  loop.advance(std::chrono::minutes(1));
  REQUIRE(put(config("a", "x", "2")).ok());
  loop.advance(std::chrono::minutes(6));
  CHECK(state.compactions == 1);
  ListQuery query{"configmaps"};
  query.revision = old->revision - 1;
  CHECK(store->list(query).status().reason == Reason::kExpired);
  loop.advance(std::chrono::hours(1));
  CHECK(state.compactions == 2);
}

TEST_CASE_METHOD(StoreFixture, "A list shows what the ring has seen, and a watch from there nothing twice") {
  REQUIRE(put(config("a", "x", "1")).ok());
  state.hold_events();
  Write w;
  w.key = key("a", "y");
  w.object = config("a", "y", "1");
  store->commit(w, [](Result<Committed>) {});  // in the backend, not yet in the ring, and not yet answered
  const auto page = store->list({"configmaps", "a"});
  REQUIRE(page.ok());
  CHECK(page->items.size() == 1);
  CHECK(page->revision == store->revision());
  auto early = watch({"configmaps", "a", "", {}, {}, page->revision});
  auto late = watch({"configmaps", "a", "", {}, {}, page->revision + 1});
  state.release_events();
  CHECK(story(drain(*early)) == "+y");
  CHECK(drain(*late).empty());
}

// Any mix of changes, cursors with and without selectors, slow and quick ones, against what must come of it: replaying a
// cursor's events onto what its list had shown gives what a list shows now.
TEST_CASE_METHOD(StoreFixture, "Whoever lists and then watches knows the state at all times") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u);
  std::mt19937 random(seed);
  Options small;
  small.ring_bytes_max = 30'000;
  store.reset();
  store = reopen(small);
  struct Reader {
    WatchQuery query;
    std::unique_ptr<Cursor> cursor;
    std::map<std::string, std::string> known;
    uint64_t last = 0;
  };
  const auto shown = [&](const WatchQuery& q) {
    ListQuery list{q.resource, q.ns, q.labels, q.fields};
    auto page = store->list(list);
    REQUIRE(page.ok());
    std::map<std::string, std::string> all;
    for (const auto& i : page->items) all[i->header().ns + "/" + i->header().name] = i->text();
    return std::pair(all, page->revision);
  };
  std::vector<Reader> readers(6);
  for (size_t i = 0; i < readers.size(); ++i) {
    Reader& r = readers[i];
    r.query.resource = "configmaps";
    if (i % 3 == 1) r.query.ns = "a";
    if (i % 2 == 1) r.query.labels = *LabelSelector::parse("on=yes");
    std::tie(r.known, r.query.from) = shown(r.query);
    r.cursor = watch(r.query);
  }
  const auto follow = [&](Reader& r, size_t max) {
    auto events = r.cursor->next(max);
    REQUIRE(events.ok());
    for (const auto& e : *events) {
      REQUIRE(e.revision > r.last);
      r.last = e.revision;
      const std::string name = e.key.ns + "/" + e.key.name;
      REQUIRE((e.type == Event::Type::kAdded) == !r.known.contains(name));
      if (e.type == Event::Type::kDeleted) r.known.erase(name);
      else r.known[name] = e.object->text();
    }
    return events->size();
  };
  for (int step = 0; step < 1500; ++step) {
    const std::string ns = random() % 2 ? "a" : "b", name = "x" + std::to_string(random() % 12);
    if (random() % 4 == 0) {
      (void)remove(key(ns, name));
    } else {
      REQUIRE(put(config(ns, name, std::string(random() % 200, 'd'), {{"on", random() % 2 ? "yes" : "no"}})).ok());
    }
    Reader& r = readers[random() % readers.size()];
    if (random() % 8 < static_cast<unsigned>(&r - readers.data())) follow(r, 1 + random() % 20);
    if (random() % 300 == 0) state.end_watches(LOTSE_UNAVAILABLE);
  }
  for (auto& r : readers) {
    for (int idle = 0; idle < 3;) {
      idle = follow(r, 100) ? 0 : idle + 1;
      state.settle();
    }
    CHECK(r.known == shown(r.query).first);
  }
}

}  // namespace lotse::store
