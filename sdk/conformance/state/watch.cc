// Watches: nothing missed, nothing twice, in order; slow readers; compaction; restart.
#include <atomic>
#include <thread>

#include "sdk/conformance/state/driver.h"

namespace lotse::check {
namespace {
// A writer that keeps its own record of what every watcher has to see.
struct Record {
  std::map<std::string, std::pair<std::string, uint64_t>> now;
  std::vector<Event> events;

  void apply(Store& store, const Op& op) {
    lotse_state_outcome outcome = store.commit(op);
    expect_equal(outcome.code, LOTSE_OK, "the commit's code");
    if (outcome.revision == 0) return;
    auto before = now.find(op.key);
    Event event{op.kind, outcome.revision, op.key, op.kind == LOTSE_STATE_PUT ? op.value : "", "", 0};
    if (before != now.end()) event.previous = before->second.first, event.previous_revision = before->second.second;
    events.push_back(event);
    if (op.kind == LOTSE_STATE_PUT)
      now[op.key] = {op.value, outcome.revision};
    else
      now.erase(op.key);
  }
  void random(Store& store, std::mt19937_64& r, int count, size_t value_size = 20) {
    for (int i = 0; i < count; ++i) {
      std::string key = "k" + std::to_string(r() % 30);
      if (r() % 4 == 0)
        apply(store, del(key));
      else
        apply(store, put(key, std::string(r() % value_size, static_cast<char>('a' + r() % 26))));
    }
  }
  std::vector<Event> from(uint64_t revision, const std::string& start = "", const std::string& end = "") const {
    std::vector<Event> out;
    for (const Event& e : events) {
      if (e.revision >= revision && e.key >= start && (end.empty() || e.key < end)) out.push_back(e);
    }
    return out;
  }
};

void expect_events(const std::vector<Event>& is, const std::vector<Event>& should) {
  for (size_t i = 0; i < std::min(is.size(), should.size()); ++i) {
    expect(is[i] == should[i],
           "event " + std::to_string(i) + " is: " + describe(is[i]) + "; and should be: " + describe(should[i]));
  }
  expect_equal(is.size(), should.size(), "the number of events");
}
}  // namespace

LOTSE_CHECK(state, "watch.from-now", "from 0 gives what changes from now on, with previous values") {
  Store store(subject);
  Record record;
  record.apply(store, put("a", "1"));
  uint64_t before = store.info().revision;
  auto watcher = store.watch("", "", 0);
  record.apply(store, put("a", "2"));
  record.apply(store, put("b", ""));
  record.apply(store, del("a"));
  record.apply(store, put("a", "3"));
  auto should = record.from(before + 1);
  expect_events(watcher->wait_events(should.size()), should);
}

LOTSE_CHECK(state, "watch.from-revision", "every change with a revision >= from is given exactly once, in order") {
  Store store(subject);
  Record record;
  std::mt19937_64 random(subject.seed);
  record.random(store, random, 200);
  uint64_t last = store.info().revision;
  for (uint64_t from : {UINT64_C(1), UINT64_C(2), last / 2, last, last + 1}) {
    auto watcher = store.watch("", "", from);
    auto should = record.from(from);
    if (!should.empty()) watcher->wait_progress(last);
    expect_events(watcher->events(), should);
  }
}

LOTSE_CHECK(state, "watch.from-the-future", "a watch from a revision not yet reached begins there") {
  Store store(subject);
  Record record;
  auto watcher = store.watch("", "", store.info().revision + 3);
  uint64_t from = store.info().revision + 3;
  std::mt19937_64 random(subject.seed);
  record.random(store, random, 50);
  watcher->wait_progress(store.info().revision);
  expect_events(watcher->events(), record.from(from));
}

LOTSE_CHECK(state, "watch.range", "only keys in [start, end) are given, and progress passes the others") {
  Store store(subject);
  Record record;
  std::mt19937_64 random(subject.seed);
  auto live = store.watch("k1", "k2", 0);
  record.random(store, random, 200);
  auto late = store.watch("k1", "k2", 1);
  uint64_t last = store.info().revision;
  live->wait_progress(last);
  late->wait_progress(last);
  expect_events(live->events(), record.from(0, "k1", "k2"));
  expect_events(late->events(), record.from(0, "k1", "k2"));
}

LOTSE_CHECK(state, "watch.progress", "everything up to `progress` has been given") {
  Store store(subject);
  Record record;
  std::mt19937_64 random(subject.seed);
  auto watcher = store.watch("", "", 1, 1);
  record.random(store, random, 100);
  uint64_t last = store.info().revision;
  for (int i = 0; i < 1000 && watcher->progress() < last; ++i) {
    uint64_t progress = watcher->progress();
    auto events = watcher->events();
    for (const Event& e : record.events) {
      bool given = std::any_of(events.begin(), events.end(), [&](const Event& g) { return g.revision == e.revision; });
      expect(given || e.revision > progress, "a change at or below the progress has not been given");
    }
    size_t items = watcher->items();
    watcher->grant(64);
    for (int wait = 0; wait < 2000 && watcher->items() == items && watcher->progress() < last; ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  expect_events(watcher->wait_progress(last), record.events);
}

LOTSE_CHECK(state, "watch.no-credit", "without credit nothing is given, nobody is held up, and nothing is lost") {
  Store store(subject);
  Record record;
  std::mt19937_64 random(subject.seed);
  auto slow = store.watch("", "", 1, 0);
  auto quick = store.watch("", "", 1);
  record.random(store, random, 300, 3000);
  uint64_t last = store.info().revision;
  expect_events(quick->wait_progress(last), record.events);
  expect_equal(slow->items(), 0u, "the number of items without credit");
  slow->grant(1000);
  while (slow->progress() < last) {
    size_t before = slow->items();
    slow->grant(4000);
    for (int i = 0; i < 5000 && slow->items() == before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    expect(slow->items() > before, "new credit brought nothing");
  }
  expect_events(slow->events(), record.events);
}

LOTSE_CHECK(state, "watch.credit-is-kept",
            "an item is sent only while the credit is above zero, and takes its size from it") {
  Store store(subject);
  for (int i = 0; i < 100; ++i) store.must(put("k" + std::to_string(i), std::string(1000, 'v')));
  auto watcher = store.watch("", "", 1, 5000);
  watcher->wait_events(1);
  size_t used = 0;
  do {
    used = watcher->credit_used();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  } while (used != watcher->credit_used());
  expect(used >= 1000, "nothing was given");
  if (used > 5000 + 300'000) fail("after a credit of 5000 bytes came " + std::to_string(used));
  if (used > 5000 + 2 * 1010)
    warn("items are large compared with the credit: " + std::to_string(used) + " bytes for 5000");
}

LOTSE_CHECK(state, "watch.previous-across-compaction", "the value before an event that is still kept is given") {
  Store store(subject);
  Record record;
  record.apply(store, put("a", "1"));
  record.apply(store, put("a", "2"));
  record.apply(store, put("a", "3"));
  uint64_t at = record.events.back().revision;
  record.apply(store, del("a"));
  expect_equal(store.compact(at), LOTSE_OK, "the compaction's code");
  store.must(put("other", "x"));
  auto watcher = store.watch("a", "b", at);
  expect_events(watcher->wait_events(2), record.from(at));
}

LOTSE_CHECK(state, "watch.compacted",
            "a watch from a compacted revision ends with COMPACTED, also where it only fell behind") {
  Store store(subject);
  Record record;
  std::mt19937_64 random(subject.seed);
  auto behind = store.watch("", "", 1, 0);
  auto live = store.watch("", "", 1);
  record.random(store, random, 100);
  uint64_t last = store.info().revision;
  live->wait_progress(last);
  expect_equal(store.compact(last), LOTSE_OK, "the compaction's code");
  auto late = store.watch("", "", last - 1);
  expect_equal(late->wait_end(), LOTSE_COMPACTED, "the code of the late one's end");
  expect_equal(late->events().size(), 0u, "the number of events it was given");
  behind->grant(1 << 20);
  expect_equal(behind->wait_end(), LOTSE_COMPACTED, "the code of the slow one's end");
  record.random(store, random, 50);
  live->wait_progress(store.info().revision);
  expect_events(live->events(), record.events);
  auto just = store.watch("", "", last);
  just->wait_progress(store.info().revision);
  expect_events(just->events(), record.from(last));
}

LOTSE_CHECK(state, "watch.random", "many watchers of all speeds see every change once while others write and compact") {
  Store store(subject);
  std::mt19937_64 random(subject.seed);
  std::atomic<bool> writing = true;
  std::atomic<bool> broken = false;
  std::vector<std::thread> writers;
  for (uint64_t t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      std::mt19937_64 r(subject.seed + t + 1);
      try {
        for (int i = 0; i < 150; ++i) {
          std::string key = "k" + std::to_string(r() % 20);
          store.commit({put(key, std::to_string(r() % 1000)), r() % 3 == 0 ? del(key) : put(key + "x", "y")});
        }
      } catch (const Failed&) {
        broken = true;
      }
    });
  }
  auto witness = store.watch("", "", 1);  // with all the credit it needs it never falls behind a compaction
  struct Follower {
    std::unique_ptr<Watcher> watcher;
    uint64_t from;
  };
  std::vector<Follower> followers;
  std::thread closing([&] {
    for (auto& writer : writers) writer.join();
    writing = false;
  });
  while (writing) {
    auto info = store.info();
    uint64_t from = info.compacted + random() % (info.revision - info.compacted + 2);
    followers.push_back({store.watch("", "", from, random() % 2 ? 200 : UINT64_MAX / 4), from});
    if (random() % 3 == 0 && info.revision > 60)
      store.compact(std::min(info.revision - 50, std::max(witness->progress(), UINT64_C(1))));
    for (auto& follower : followers) follower.watcher->grant(random() % 300);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  closing.join();
  expect(!broken, "a writer failed");
  uint64_t last = store.info().revision;
  auto all = witness->wait_progress(last);
  expect(!witness->ended(), "the watch with all the credit ended");
  std::map<std::string, std::pair<std::string, uint64_t>> model;
  uint64_t revision = 0;
  for (const Event& e : all) {
    expect(e.revision > revision, "revisions are out of order or repeated");
    revision = e.revision;
    auto before = model.find(e.key);
    expect(e.previous_revision == (before == model.end() ? 0 : before->second.second) &&
               e.previous == (before == model.end() ? "" : before->second.first),
           "a previous value does not fit: " + describe(e));
    if (e.kind == LOTSE_STATE_PUT)
      model[e.key] = {e.value, e.revision};
    else
      model.erase(e.key);
  }
  std::vector<Kv> should;
  for (const auto& [key, value] : model) should.push_back({key, value.first, value.second});
  expect(store.list() == should, "all events together do not make up the store's present state");
  for (auto& follower : followers) {
    follower.watcher->grant(UINT64_MAX / 4);
    auto events = follower.watcher->wait_progress(last);
    bool compacted = follower.watcher->ended();
    if (compacted) expect_equal(follower.watcher->wait_end(), LOTSE_COMPACTED, "the code of a follower's end");
    size_t i = 0;
    for (const Event& e : all) {
      if (e.revision < follower.from) continue;
      if (compacted && i == events.size()) break;
      expect(i < events.size() && events[i] == e, "a follower missed or repeated: " + describe(e));
      ++i;
    }
    expect_equal(events.size(), i, "the number of a follower's events");
  }
}

LOTSE_CHECK(state, "watch.cancel", "cancel ends the watch: on_end comes once, and nothing after it") {
  Store store(subject);
  auto watcher = store.watch("", "", 0);
  store.must(put("a", "1"));
  watcher->wait_events(1);
  watcher->cancel();
  watcher->cancel();
  expect_equal(watcher->wait_end(), LOTSE_CANCELLED, "the end's code");
  store.must(put("a", "2"));
  store.must(put("a", "3"));
  expect_equal(watcher->events().size(), 1u, "the number of events");
  expect_equal(watcher->ends(), 1, "the number of ends");
}

LOTSE_CHECK(state, "watch.restart", "a watch taken up again after a restart has neither gap nor repeat") {
  Store store(subject);
  store.need_durable();
  Record record;
  std::mt19937_64 random(subject.seed);
  std::vector<Event> seen;
  uint64_t next = 1;
  for (int round = 0; round < 5; ++round) {
    auto watcher = store.watch("", "", next, 400 * (round % 2 == 0 ? 1000u : 1u));
    record.random(store, random, 40);
    if (round % 2 == 0)
      watcher->wait_progress(store.info().revision);
    else
      watcher->wait_events(1);
    watcher->cancel();
    watcher->wait_end();
    auto events = watcher->events();
    seen.insert(seen.end(), events.begin(), events.end());
    next = watcher->progress() + 1;
    watcher.reset();
    store.restart();
  }
  auto rest = store.watch("", "", next);
  record.apply(store, put("last", "x"));
  rest->wait_progress(store.info().revision);
  for (const Event& e : rest->events()) seen.push_back(e);
  expect_events(seen, record.events);
}

}  // namespace lotse::check
