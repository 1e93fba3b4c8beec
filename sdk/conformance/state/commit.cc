// Commits: guards, expected revisions, batches, limits.
#include <atomic>
#include <thread>

#include "sdk/conformance/state/driver.h"

namespace lotse::check {

LOTSE_CHECK(state, "commit.put-and-read", "what was put is read with the revision that the commit told") {
  Store store(subject);
  uint64_t revision = store.must(put("a", "one"));
  auto found = store.get("a");
  expect(found.has_value(), "the key is not there");
  expect_text(found->value, "one", "the value");
  expect_equal(found->revision, revision, "the revision");
}

LOTSE_CHECK(state, "commit.empty-value", "a value may have 0 bytes and is not the same as an absent key") {
  Store store(subject);
  store.must(put("a", ""));
  auto found = store.get("a");
  expect(found.has_value() && found->value.empty(), "the key with the empty value is not there");
  expect_equal(store.commit(put("a", "x", 0)).code, LOTSE_CONFLICT, "the code of a create over it");
}

LOTSE_CHECK(state, "commit.revisions-grow", "every change has a revision of its own, greater than all before it") {
  Store store(subject);
  uint64_t last = store.info().revision;
  expect(last >= 1, "the empty store's revision is below 1");
  for (int i = 0; i < 20; ++i) {
    auto outcomes = store.commit({put("a", std::to_string(i)), put("b", "x"), del("a")});
    for (const auto& outcome : outcomes) {
      expect(outcome.code == LOTSE_OK && outcome.revision > last, "a revision did not grow");
      last = outcome.revision;
    }
    expect(store.info().revision >= last, "info's revision is below an answered one");
  }
}

LOTSE_CHECK(state, "commit.expected", "expected: the key's revision, 0 for absent, ANY for whatever") {
  Store store(subject);
  uint64_t first = store.must(put("a", "1", 0));
  lotse_state_outcome again = store.commit(put("a", "2", 0));
  expect_equal(again.code, LOTSE_CONFLICT, "the code of a create over an existing key");
  expect_equal(again.revision, first, "the revision that the conflict tells");
  expect_equal(again.guard, -1, "the guard that the conflict tells");
  uint64_t second = store.must(put("a", "2", first));
  expect_equal(store.commit(put("a", "3", first)).code, LOTSE_CONFLICT, "the code of an update of an old revision");
  expect_equal(store.commit(del("a", first)).code, LOTSE_CONFLICT, "the code of a delete of an old revision");
  store.must(del("a", second));
  lotse_state_outcome gone = store.commit(put("a", "4", second));
  expect_equal(gone.code, LOTSE_CONFLICT, "the code of an update of a deleted key");
  expect_equal(gone.revision, 0u, "the revision that it tells");
  store.must(put("a", "5", 0));
  store.must(put("a", "6"));
}

LOTSE_CHECK(state, "commit.delete-absent",
            "a delete of a key that does not exist (ANY or 0) is OK and makes no revision") {
  Store store(subject);
  store.must(put("b", "x"));
  uint64_t before = store.info().revision;
  for (uint64_t expected : {LOTSE_STATE_ANY, UINT64_C(0)}) {
    lotse_state_outcome outcome = store.commit(del("a", expected));
    expect_equal(outcome.code, LOTSE_OK, "the code");
    expect_equal(outcome.revision, 0u, "the revision");
  }
  expect_equal(store.commit(del("a", before)).code, LOTSE_CONFLICT, "the code with an expected revision");
  expect_equal(store.info().revision, before, "the store's revision");
}

LOTSE_CHECK(state, "commit.guards",
            "all guards must hold; a conflict names the first that does not and its key's revision") {
  Store store(subject);
  uint64_t a = store.must(put("a", "1"));
  Op op = put("x", "1");
  op.guards = {{"a", a}, {"absent", 0}};
  store.must(op);
  op.guards = {{"absent", 0}, {"a", a + 1000}};
  lotse_state_outcome outcome = store.commit(op);
  expect_equal(outcome.code, LOTSE_CONFLICT, "the code with a guard that does not hold");
  expect_equal(outcome.guard, 1, "the guard's index");
  expect_equal(outcome.revision, a, "the revision of the guard's key");
  op.guards = {{"a", 0}};
  expect_equal(store.commit(op).code, LOTSE_CONFLICT, "the code with a guard on absence");
  op.guards = {{"never", 7}};
  outcome = store.commit(op);
  expect_equal(outcome.code, LOTSE_CONFLICT, "the code with a guard on an absent key");
  expect_equal(outcome.revision, 0u, "the revision of an absent key");
  Op remove = del("x");
  remove.guards = {{"a", a}};
  store.must(remove);
}

LOTSE_CHECK(state, "commit.batch-sees-itself", "each operation of a commit sees all those before it") {
  Store store(subject);
  auto outcomes = store.commit({put("a", "1", 0), put("a", "2", 0), del("a"), put("a", "3", 0), del("absent")});
  expect_equal(outcomes[0].code, LOTSE_OK, "the first create's code");
  expect_equal(outcomes[1].code, LOTSE_CONFLICT, "the second create's code");
  expect_equal(outcomes[1].revision, outcomes[0].revision, "the revision it ran into");
  expect_equal(outcomes[2].code, LOTSE_OK, "the delete's code");
  expect_equal(outcomes[3].code, LOTSE_OK, "the create's code after the delete");
  Op guarded = put("b", "1");
  guarded.guards = {{"a", outcomes[3].revision}};
  Op second = put("c", "1");
  second.guards = {{"b", 0}};
  outcomes = store.commit({guarded, second});
  expect_equal(outcomes[0].code, LOTSE_OK, "the guarded put's code");
  expect_equal(outcomes[1].code, LOTSE_CONFLICT, "the code of a guard on what the batch itself has put");
}

LOTSE_CHECK(state, "commit.each-by-itself", "one operation's failure changes nothing for the others") {
  Store store(subject);
  std::string long_key(LOTSE_STATE_KEY_MAX + 1, 'k');
  auto outcomes = store.commit({put("a", "1"), put(long_key, "x"), put("a", "2", 0), put("b", "1"), put("", "x")});
  std::vector<int32_t> codes{LOTSE_OK, LOTSE_TOO_LARGE, LOTSE_CONFLICT, LOTSE_OK, LOTSE_INVALID};
  for (size_t i = 0; i < codes.size(); ++i) expect_equal(outcomes.at(i).code, codes[i], "code " + std::to_string(i));
  expect_equal(store.list().size(), 2u, "the number of keys");
}

LOTSE_CHECK(state, "commit.answered-once",
            "done comes exactly once, with an outcome for each operation, also for none") {
  Store store(subject);
  std::vector<Commit> commits;
  for (int i = 0; i < 200; ++i) commits.push_back(store.start({put("k" + std::to_string(i % 7), "v"), del("k3")}));
  Commit none = store.start({});
  for (Commit& commit : commits) expect_equal(commit.wait().size(), 2u, "the number of outcomes");
  expect_equal(none.wait().size(), 0u, "the number of outcomes for none");
  store.destroy();
  for (Commit& commit : commits) expect_equal(commit.answers(), 1, "the number of answers");
}

LOTSE_CHECK(state, "commit.borrowed", "operations are borrowed only until commit returns") {
  Store store(subject);
  std::vector<Commit> commits;
  for (int i = 0; i < 50; ++i) {
    std::string key = "key" + std::to_string(i), value = "value" + std::to_string(i);
    commits.push_back(store.start({put(key, value)}));
    std::fill(key.begin(), key.end(), '?');
    std::fill(value.begin(), value.end(), '?');
  }
  for (Commit& commit : commits) commit.wait();
  for (int i = 0; i < 50; ++i) {
    auto found = store.get("key" + std::to_string(i));
    expect(found && found->value == "value" + std::to_string(i), "key" + std::to_string(i) + " is not as it was given");
  }
}

LOTSE_CHECK(state, "commit.limits", "keys of 1 to KEY_MAX bytes, values up to VALUE_MAX, at most 16 guards") {
  Store store(subject);
  std::string key(LOTSE_STATE_KEY_MAX, '\0'), value(LOTSE_STATE_VALUE_MAX, 'v');
  store.must(put(key, value));
  store.must(put("k", "v"));
  auto found = store.get(key);
  expect(found && found->value == value, "the largest key and value did not come back");
  expect_equal(store.commit(put(key + 'x', "")).code, LOTSE_TOO_LARGE, "the code of a longer key");
  expect_equal(store.commit(put("k", value + 'x')).code, LOTSE_TOO_LARGE, "the code of a larger value");
  expect_equal(store.commit(put("", "x")).code, LOTSE_INVALID, "the code of an empty key");
  Op op = put("g", "1");
  for (int i = 0; i < 16; ++i) op.guards.emplace_back("none" + std::to_string(i), 0);
  store.must(op);
  op.guards.emplace_back("none", 0);
  expect_equal(store.commit(op).code, LOTSE_TOO_LARGE, "the code with 17 guards");
  op.guards = {{"", 0}};
  expect_equal(store.commit(op).code, LOTSE_INVALID, "the code of a guard without a key");
  Op strange = put("k", "x");
  strange.kind = 7;
  expect_equal(store.commit(strange).code, LOTSE_INVALID, "the code of an unknown kind");
  strange = put("k", "x");
  strange.ttl_ns = -1;
  expect_equal(store.commit(strange).code, LOTSE_INVALID, "the code of a negative ttl");
}

LOTSE_CHECK(state, "commit.busy",
            "more than LOTSE_STATE_QUEUE operations waiting are refused with BUSY, and the store goes on") {
  Store store(subject);
  auto outcomes = store.commit(std::vector<Op>(LOTSE_STATE_QUEUE + 1, put("a", "x")));
  expect_equal(outcomes.size(), size_t{LOTSE_STATE_QUEUE} + 1, "the number of outcomes");
  for (const auto& outcome : outcomes) expect_equal(outcome.code, LOTSE_BUSY, "the code");
  expect(!store.get("a"), "something was written");
  store.must(put("a", "x"));
}

LOTSE_CHECK(state, "commit.large-batch", "thousands of operations in one commit are each answered in order") {
  Store store(subject);
  std::vector<Op> ops;
  for (int i = 0; i < 20000; ++i)
    ops.push_back(put("key" + std::to_string(i * 7919 % 20000), std::string(100, 'v'), 0));
  auto outcomes = store.commit(ops);
  uint64_t last = 0;
  for (const auto& outcome : outcomes) {
    expect(outcome.code == LOTSE_OK && outcome.revision > last, "an operation failed or its revision did not grow");
    last = outcome.revision;
  }
  expect_equal(store.list().size(), 20000u, "the number of keys");
}

LOTSE_CHECK(state, "commit.relaxed", "a relaxed operation is answered, read and watched like any, within 5 s") {
  Store store(subject);
  Op op = put("a", "1");
  op.relaxed = true;
  auto watcher = store.watch("", "", 0);
  auto began = std::chrono::steady_clock::now();
  uint64_t revision = store.must(op);
  auto took = std::chrono::steady_clock::now() - began;
  expect(took < std::chrono::milliseconds(5500), "the answer took longer than 5 s");
  expect(store.get("a").has_value(), "the key is not there after the answer");
  expect_equal(watcher->wait_events(1).at(0).revision, revision, "the event's revision");
  op.key = "b";
  Commit relaxed = store.start({op});
  uint64_t durable = store.must(put("c", "1"));
  auto outcomes = relaxed.wait();
  expect(outcomes[0].code == LOTSE_OK && outcomes[0].revision < durable, "the relaxed one did not come first");
}

LOTSE_CHECK(state, "commit.concurrent", "guarded increments by many threads lose none") {
  Store store(subject);
  store.must(put("counter", "0"));
  constexpr int kThreads = 8, kIncrements = 40;
  std::vector<std::thread> threads;
  std::atomic<bool> broken = false;
  std::atomic<int> done = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      try {
        for (int i = 0; i < kIncrements;) {
          auto now = store.get("counter");
          auto outcome = store.commit(put("counter", std::to_string(std::stoi(now->value) + 1), now->revision));
          if (outcome.code == LOTSE_OK)
            ++i, ++done;
          else if (outcome.code != LOTSE_CONFLICT)
            throw Failed{"a code that is neither OK nor CONFLICT"};
        }
      } catch (const Failed&) {
        broken = true;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  expect(!broken, "a thread failed");
  expect_text(store.get("counter")->value, std::to_string(kThreads * kIncrements), "the counter");
}

}  // namespace lotse::check
