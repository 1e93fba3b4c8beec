// What is current, with one instance and with two at the same store.
#include "sdk/conformance/state/driver.h"

namespace lotse::check {

LOTSE_CHECK(state, "current.answered", "current is not below what was answered, and can be read") {
  Store store(subject);
  for (int i = 0; i < 20; ++i) {
    uint64_t revision = store.must(put("a", std::to_string(i)));
    auto [code, current] = store.current();
    expect_equal(code, LOTSE_OK, "the code");
    expect(current >= revision, "current is below an answered revision");
    expect_equal(store.range({.revision = current}).code, LOTSE_OK, "the code of a range at it");
  }
}

LOTSE_CHECK(state, "current.others", "where two instances may share a store, each sees the other's changes") {
  Store one(subject);
  one.must(put("a", "0"));
  Store other(subject, Store::Second());
  for (int i = 1; i < 20; ++i) {
    uint64_t revision = one.must(put("a", std::to_string(i)));
    auto [code, current] = other.current();
    expect_equal(code, LOTSE_OK, "the code");
    expect(current >= revision, "current is below what another instance has answered");
    expect_text(other.get("a")->value, std::to_string(i), "the value that the second instance reads");
    expect_equal(one.commit(put("a", "x", revision - 1)).code, LOTSE_CONFLICT, "the code with an old revision");
    uint64_t second = other.must(put("b", std::to_string(i)));
    Op guarded = put("c", "x");
    guarded.guards = {{"b", second}};
    one.must(guarded);
  }
  auto watcher = other.watch("", "", 1);
  watcher->wait_progress(one.info().revision);
  expect(one.list() == other.list(), "the two do not agree");
}

}  // namespace lotse::check
