// Beginning, end, restart, expiry.
#include <thread>

#include "sdk/conformance/state/driver.h"

namespace lotse::check {
namespace {
constexpr int64_t kSecond = 1'000'000'000;
}

LOTSE_CHECK(state, "life.begin", "the empty store is at revision 1, nothing is compacted, and it has an identity") {
  Store store(subject);
  auto info = store.info();
  expect_equal(info.revision, 1u, "the revision");
  expect_equal(info.compacted, 1u, "the compacted revision");
  expect(memchr(info.identity, 0, sizeof info.identity) != nullptr, "the identity is not terminated");
  expect(info.identity[0] != 0, "the identity is empty");
  expect_equal(store.list().size(), 0u, "the number of keys");
}

LOTSE_CHECK(state, "life.restart", "what was answered is there after a restart: keys, revisions, history, identity") {
  Store store(subject);
  store.need_durable();
  std::string identity = store.info().identity;
  uint64_t r1 = store.must(put("a", "1"));
  uint64_t r2 = store.must(put("a", "2"));
  uint64_t r3 = store.must(del("a"));
  store.must(put("b", std::string(100000, 'b')));
  store.compact(r2);
  auto before = store.info();
  store.restart();
  auto after = store.info();
  expect_equal(after.revision, before.revision, "the revision");
  expect_equal(after.compacted, before.compacted, "the compacted revision");
  expect_text(after.identity, identity, "the identity");
  expect(store.list("", "", r2) == std::vector<Kv>{{"a", "2", r2}}, "an old revision is not as it was");
  expect_equal(store.range({.revision = r1}).code, LOTSE_COMPACTED, "the code of a compacted revision");
  expect_equal(store.list("", "", r3).size(), 0u, "the number of keys after the delete");
  expect_equal(store.get("b")->value.size(), 100000u, "the size of the large value");
  expect(store.must(put("c", "1")) > before.revision, "the revision fell");
}

LOTSE_CHECK(state, "life.revision-never-falls",
            "the revision is kept over a restart, also where the last change was a delete") {
  Store store(subject);
  store.need_durable();
  uint64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    store.must(put("a", "1"));
    uint64_t now = store.must(del("a"));
    expect(now > last, "the revision did not grow");
    last = now;
    store.compact(last);
    store.restart();
    expect_equal(store.info().revision, last, "the revision after the restart");
  }
}

LOTSE_CHECK(state, "life.many-instances",
            "instances can be made and ended again and again, also at once after creation") {
  for (int i = 0; i < 20; ++i) {
    Store store(subject);
    if (i % 2 == 0) store.must(put("a", std::to_string(i)));
  }
}

LOTSE_CHECK(state, "life.destroy-answers", "destroy returns when every commit is answered and every watch has ended") {
  Store store(subject);
  std::vector<Commit> commits;
  auto watcher = store.watch("", "", 1);
  auto slow = store.watch("", "", 1, 0);
  for (int i = 0; i < 500; ++i) commits.push_back(store.start({put("k" + std::to_string(i), "v")}));
  store.destroy();
  for (Commit& commit : commits) expect_equal(commit.answers(), 1, "the number of answers");
  expect_equal(watcher->ends(), 1, "the number of ends");
  expect_equal(slow->ends(), 1, "the number of ends of the slow one");
  watcher->release();
  slow->release();
}

LOTSE_CHECK(state, "life.answered-survives-destroy",
            "what was answered OK before or during destroy is there afterwards") {
  Store store(subject);
  store.need_durable();
  std::vector<Commit> commits;
  for (int i = 0; i < 300; ++i) commits.push_back(store.start({put("k" + std::to_string(i), "v")}));
  store.restart();
  for (int i = 0; i < 300; ++i) {
    bool answered = commits[static_cast<size_t>(i)].wait().at(0).code == LOTSE_OK;
    expect(!answered || store.get("k" + std::to_string(i)), "k" + std::to_string(i) + " was answered and is gone");
  }
}

LOTSE_CHECK(state, "expiry.deletes",
            "a key with a ttl is deleted, with a revision and an event, that long after (5 s)") {
  Store store(subject);
  auto watcher = store.watch("", "", 0);
  Op op = put("a", "1");
  op.ttl_ns = kSecond;
  auto began = std::chrono::steady_clock::now();
  uint64_t revision = store.must(op);
  store.must(put("b", "1"));
  expect(store.get("a").has_value(), "the key is not there");
  auto events = watcher->wait_events(3);
  auto took = std::chrono::steady_clock::now() - began;
  expect(took >= std::chrono::milliseconds(900), "it expired too early");
  expect(took <= std::chrono::seconds(7), "it expired too late");
  expect_equal(events.at(2).kind, uint32_t{LOTSE_STATE_DELETE}, "the event's kind");
  expect_text(events[2].key, "a", "the event's key");
  expect_text(events[2].previous, "1", "the event's previous value");
  expect_equal(events[2].previous_revision, revision, "the event's previous revision");
  expect(!store.get("a") && store.get("b"), "the wrong key is gone");
}

LOTSE_CHECK(state, "expiry.renewed", "a put over a key with a ttl sets its own: later, or never") {
  Store store(subject);
  Op shortly = put("a", "1");
  shortly.ttl_ns = kSecond;
  store.must(shortly);
  store.must(put("a", "2"));
  Op longer = put("b", "1");
  longer.ttl_ns = kSecond;
  store.must(longer);
  longer.ttl_ns = 3600 * kSecond;
  store.must(longer);
  shortly.key = "c";
  store.must(shortly);
  auto watcher = store.watch("c", "d", 0);
  watcher->wait_events(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  expect(store.get("a") && store.get("b"), "a renewed key expired");
}

LOTSE_CHECK(state, "expiry.restart", "a ttl goes on over a restart") {
  Store store(subject);
  store.need_durable();
  Op op = put("a", "1");
  op.ttl_ns = kSecond;
  uint64_t revision = store.must(op);
  store.restart();
  auto watcher = store.watch("", "", revision + 1);
  auto events = watcher->wait_events(1);
  expect_equal(events.at(0).kind, uint32_t{LOTSE_STATE_DELETE}, "the event's kind");
}

}  // namespace lotse::check
