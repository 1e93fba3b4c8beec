#include "unit/store/fixture.h"

namespace lotse::store {

TEST_CASE_METHOD(StoreFixture, "What was committed is read with its revision") {
  const auto made = put(config("a", "x", "1"), 0);
  REQUIRE(made.ok());
  const auto found = store->get(key("a", "x"));
  REQUIRE(found.ok());
  CHECK((*found)->revision() == made->revision);
  CHECK((*found)->value()["metadata"]["resourceVersion"].str() == std::to_string(made->revision));
  CHECK(store->exists(key("a", "x")));
  CHECK_FALSE(store->exists(key("a", "y")));
  CHECK(store->get(key("a", "y")).status().reason == Reason::kNotFound);
  CHECK(store->revision() >= made->revision);
}

TEST_CASE_METHOD(StoreFixture, "A change is refused when the object is not as expected") {
  const auto first = put(config("a", "x", "1"), 0);
  REQUIRE(first.ok());
  CHECK(put(config("a", "x", "2"), 0).status().reason == Reason::kAlreadyExists);
  const auto second = put(config("a", "x", "2"), first->revision);
  REQUIRE(second.ok());
  CHECK(put(config("a", "x", "3"), first->revision).status().reason == Reason::kConflict);
  CHECK(put(config("a", "x", "3"), 1).status().reason == Reason::kConflict);
  CHECK(put(config("a", "gone", "3"), first->revision).status().reason == Reason::kNotFound);
  CHECK((*store->get(key("a", "x")))->value()["data"]["k"].str() == "2");
}

TEST_CASE_METHOD(StoreFixture, "A failed guard names what it guarded") {
  const auto lock = put(config("a", "lock", "1"), 0);
  REQUIRE(lock.ok());
  CHECK(put(config("a", "x", "1"), 0, {{key("a", "lock"), lock->revision}, {{"lotse/ips", "", "10.0.0.1"}, 0}}).ok());
  const auto refused = put(config("a", "y", "1"), 0, {{key("a", "lock"), lock->revision + 1}});
  CHECK(refused.status().reason == Reason::kConflict);
  CHECK(refused.status().group == "guard");
  CHECK(refused.status().name == "lock");
  CHECK_FALSE(store->exists(key("a", "y")));
}

TEST_CASE_METHOD(StoreFixture, "A delete gives what was there, with the revision of the deletion") {
  const auto made = put(config("a", "x", "1"), 0);
  CHECK(remove(key("a", "x"), made->revision + 7).status().reason == Reason::kConflict);
  const auto gone = remove(key("a", "x"), made->revision);
  REQUIRE(gone.ok());
  REQUIRE(gone->object);
  CHECK(gone->object->revision() == gone->revision);
  CHECK(gone->revision > made->revision);
  CHECK(remove(key("a", "x")).status().reason == Reason::kNotFound);
  CHECK(store->get(key("a", "x")).status().reason == Reason::kNotFound);
}

TEST_CASE_METHOD(StoreFixture, "An answer waits until the ring has the change") {
  REQUIRE(put(config("a", "first", "1")).ok());
  state.hold_events();
  bool answered = false;
  Write w;
  w.key = key("a", "x");
  w.object = config("a", "x", "1");
  store->commit(w, [&](Result<Committed> r) { answered = r.ok(); });
  state.settle();
  CHECK_FALSE(answered);
  state.release_events();
  CHECK(answered);
}

TEST_CASE_METHOD(StoreFixture, "A store that is being closed answers what is under way and takes nothing new") {
  REQUIRE(put(config("a", "first", "1")).ok());
  state.hold_events();
  bool answered = false;
  Write w;
  w.key = key("a", "x");
  w.object = config("a", "x", "1");
  store->commit(w, [&](Result<Committed> r) { answered = r.ok(); });
  CHECK_FALSE(store->close(Duration(0)));
  CHECK(put(config("a", "y", "1")).status().reason == Reason::kServiceUnavailable);
  state.release_events();
  CHECK(store->close(std::chrono::seconds(10)));
  CHECK(answered);
}

TEST_CASE_METHOD(StoreFixture, "After an unknown outcome the key tells what happened") {
  REQUIRE(put(config("a", "first", "1")).ok());
  state.fail_with = LOTSE_UNKNOWN;
  CHECK(put(config("a", "x", "1"), 0).status().reason == Reason::kServerTimeout);
  state.fail_but_do = true;
  const auto made = put(config("a", "y", "1"), 0);
  REQUIRE(made.ok());
  CHECK(made->object->header().name == "y");
  CHECK(remove(key("a", "y")).ok());
}

TEST_CASE_METHOD(StoreFixture, "A full or read-only store says so, and reads go on") {
  REQUIRE(put(config("a", "x", "1")).ok());
  state.fail_with = LOTSE_NO_SPACE;
  CHECK(put(config("a", "y", "1")).status().reason == Reason::kInsufficientStorage);
  CHECK(put(config("a", "y", "1")).status().message.find("full") != std::string::npos);
  state.fail_with = LOTSE_READ_ONLY;
  CHECK(put(config("a", "y", "1")).status().reason == Reason::kServiceUnavailable);
  CHECK(store->get(key("a", "x")).ok());
  state.fail_with = LOTSE_OK;
  CHECK(put(config("a", "y", "1")).ok());
}

TEST_CASE_METHOD(StoreFixture, "Names with a NUL are refused") {
  CHECK(put(config("a", std::string("x\0y", 3), "1")).status().reason == Reason::kBadRequest);
}

TEST_CASE_METHOD(StoreFixture, "Everything is found again after a restart, under the same cluster id") {
  const auto made = put(config("a", "x", "1"));
  const std::string id = store->cluster_id();
  REQUIRE_FALSE(id.empty());
  store.reset();
  store = reopen({});
  CHECK(store->cluster_id() == id);
  CHECK((*store->get(key("a", "x")))->revision() == made->revision);
  CHECK(store->count("configmaps", "a") == 1);
  CHECK(store->revision() >= made->revision);
}

}  // namespace lotse::store
