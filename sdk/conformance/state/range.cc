// Ranges: order, bounds, pages, old revisions, compaction.
#include "sdk/conformance/state/driver.h"

namespace lotse::check {

LOTSE_CHECK(state, "range.order", "keys are ordered as unsigned bytes, and a range gives start <= key < end") {
  Store store(subject);
  std::vector<std::string> keys{std::string("\0", 1),
                                std::string("\0\0", 2),
                                std::string("\0\xff", 2),
                                "\x01",
                                "a",
                                std::string("a\0", 2),
                                std::string("a\0b", 3),
                                "a\x01",
                                "aa",
                                "ab",
                                "b",
                                "\x7f",
                                "\x80",
                                "\xff",
                                "\xff\xff"};
  for (size_t i = 0; i < keys.size(); ++i) store.must(put(keys[(i * 7) % keys.size()], "v"));
  std::sort(keys.begin(), keys.end(), [](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](unsigned char x, unsigned char y) { return x < y; });
  });
  for (size_t from = 0; from <= keys.size(); ++from) {
    for (size_t to = from; to <= keys.size(); ++to) {
      if (from == keys.size()) continue;
      auto found = store.list(keys[from], to == keys.size() ? "" : keys[to]);
      if (to == from) continue;  // an empty end means the last key: covered by to == size
      expect_equal(found.size(), to - from, "the number of keys in a range");
      for (size_t i = 0; i < found.size(); ++i) expect(found[i].key == keys[from + i], "the keys are out of order");
    }
  }
}

LOTSE_CHECK(state, "range.long-keys",
            "long keys that share their beginning are ordered and told apart like all others") {
  Store store(subject);
  std::mt19937_64 random(subject.seed);
  std::map<std::string, std::string> model;
  for (int i = 0; i < 300; ++i) {
    std::string key(380 + random() % 120, 'p');
    if (random() % 4 == 0) key[key.size() - 1] = '\0';
    if (random() % 2 == 0) key += std::string(random() % 400, 'q') + std::to_string(random() % 50);
    if (random() % 3 == 0) key += std::string(random() % 20, '\0');
    model[key] = std::to_string(i);
    store.must(put(key, std::to_string(i)));
    if (random() % 5 == 0) {
      auto victim = std::next(model.begin(), static_cast<long>(random() % model.size()));
      store.must(del(victim->first));
      model.erase(victim);
    }
  }
  for (uint64_t limit : {UINT64_C(0), UINT64_C(7)}) {
    auto found = store.list("", "", 0, limit);
    expect_equal(found.size(), model.size(), "the number of keys");
    size_t i = 0;
    for (const auto& [key, value] : model) {
      expect(found[i].key == key && found[i].value == value, "entry " + std::to_string(i) + " is another one");
      ++i;
    }
  }
  for (int i = 0; i < 60; ++i) {
    auto from = std::next(model.begin(), static_cast<long>(random() % model.size()));
    auto to = std::next(model.begin(), static_cast<long>(random() % model.size()));
    if (to->first <= from->first) continue;
    auto found = store.list(from->first, to->first);
    expect_equal(found.size(), static_cast<size_t>(std::distance(from, to)), "the number of keys in a range");
    expect(found.front().key == from->first, "a range does not begin with its start");
  }
}

LOTSE_CHECK(state, "range.limit-and-more",
            "a limit is kept, `more` says so, and pages at one revision make up the whole") {
  Store store(subject);
  for (int i = 0; i < 25; ++i) store.must(put("k" + std::to_string(100 + i), "v"));
  auto page = store.range({.limit = 10});
  expect_equal(page.entries.size(), 10u, "the number of entries");
  expect(page.more, "`more` is not set");
  store.must(put("k1000", "late"));
  store.must(del("k124"));
  std::vector<Kv> all = page.entries;
  while (page.more) {
    page = store.range({.start = all.back().key + '\0', .revision = page.revision, .limit = 10});
    expect_equal(page.code, LOTSE_OK, "the code of a page");
    all.insert(all.end(), page.entries.begin(), page.entries.end());
  }
  expect_equal(all.size(), 25u, "the number of keys over all pages");
  expect_text(all.back().key, "k124", "the last key");
  expect(!store.range({.limit = 25}).more, "`more` is set where nothing follows");
}

LOTSE_CHECK(state, "range.many", "a range over many entries comes in chunks of the plugin's choice and is complete") {
  Store store(subject);
  std::vector<Op> ops;
  for (int i = 0; i < 5000; ++i)
    ops.push_back(put("k" + std::to_string(10000 + i), std::string(i % 50 == 0 ? 40000 : 10, 'v')));
  store.commit(ops);
  auto found = store.list();
  expect_equal(found.size(), 5000u, "the number of entries");
  for (size_t i = 0; i < found.size(); ++i) expect(found[i].value == ops[i].value, "a value is another one");
}

LOTSE_CHECK(state, "range.stops", "on_entry returning 0 ends the range") {
  Store store(subject);
  for (int i = 0; i < 5; ++i) store.must(put("k" + std::to_string(i), "v"));
  auto answer = store.range({.stop_after = 2});
  expect_equal(answer.code, LOTSE_OK, "the code");
  expect_equal(answer.entries.size(), 2u, "the number of entries");
  expect(answer.more, "`more` is not set");
}

LOTSE_CHECK(state, "range.keys-only", "with keys_only the values are empty and all else is the same") {
  Store store(subject);
  uint64_t revision = store.must(put("a", "value"));
  store.must(put("b", "value"));
  store.must(del("b"));
  auto answer = store.range({.keys_only = true});
  expect_equal(answer.entries.size(), 1u, "the number of entries");
  expect(answer.entries[0] == Kv{"a", "", revision}, "the entry is another one");
}

LOTSE_CHECK(state, "range.at-old-revision", "until it is compacted every past revision can be read as it was") {
  Store store(subject);
  uint64_t empty = store.info().revision;
  uint64_t r1 = store.must(put("a", "1"));
  uint64_t r2 = store.must(put("b", "1"));
  uint64_t r3 = store.must(put("a", "2"));
  uint64_t r4 = store.must(del("b"));
  uint64_t r5 = store.must(put("b", "3"));
  expect_equal(store.list("", "", empty).size(), 0u, "the number of keys in the beginning");
  expect(store.list("", "", r1) == std::vector<Kv>{{"a", "1", r1}}, "the first revision is not as it was");
  expect(store.list("", "", r2) == std::vector<Kv>{{"a", "1", r1}, {"b", "1", r2}}, "the second is not as it was");
  expect(store.list("", "", r3) == std::vector<Kv>{{"a", "2", r3}, {"b", "1", r2}}, "the third is not as it was");
  expect(store.list("", "", r4) == std::vector<Kv>{{"a", "2", r3}}, "the fourth is not as it was");
  expect(store.list() == std::vector<Kv>{{"a", "2", r3}, {"b", "3", r5}}, "the present is not as it should be");
  expect_equal(store.range({.revision = r5 + 1}).code, LOTSE_INVALID, "the code of a revision not yet reached");
}

LOTSE_CHECK(state, "range.compacted",
            "below the compacted revision nothing can be read; at it and above everything can") {
  Store store(subject);
  expect_equal(store.info().compacted, 1u, "the compacted revision in the beginning");
  uint64_t r1 = store.must(put("a", "1"));
  uint64_t r2 = store.must(put("a", "2"));
  uint64_t r3 = store.must(put("b", "1"));
  uint64_t r4 = store.must(del("a"));
  expect_equal(store.compact(r3), LOTSE_OK, "the compaction's code");
  expect_equal(store.info().compacted, r3, "the compacted revision");
  for (uint64_t old : {r1, r2})
    expect_equal(store.range({.revision = old}).code, LOTSE_COMPACTED, "the code of an old revision");
  expect(store.list("", "", r3) == std::vector<Kv>{{"a", "2", r2}, {"b", "1", r3}},
         "the compacted revision itself is not as it was");
  expect(store.list("", "", r4) == std::vector<Kv>{{"b", "1", r3}}, "the revision after it is not as it was");
  expect_equal(store.compact(r2), LOTSE_OK, "the code of a compaction that has nothing to do");
  expect_equal(store.info().compacted, r3, "the compacted revision after it");
  expect_equal(store.compact(r4 + 100), LOTSE_INVALID, "the code of a compaction in the future");
  expect_equal(store.compact(r4), LOTSE_OK, "the compaction's code");
  expect(store.list() == std::vector<Kv>{{"b", "1", r3}}, "current values did not stay");
  store.must(put("a", "again", 0));
}

LOTSE_CHECK(state, "range.space-comes-back", "compaction gives back what overwritten values took") {
  Store store(subject);
  if (store.info().bytes_used == 0) skip("the plugin does not know how much it uses");
  std::string value(100'000, 'v');
  uint64_t last = 0, used = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 20; ++i) last = store.must(put("k" + std::to_string(i), value));
    expect_equal(store.compact(last), LOTSE_OK, "the compaction's code");
    store.must(put("other", "x"));
    if (round == 3) used = store.info().bytes_used;
  }
  uint64_t now = store.info().bytes_used;
  expect(now < used * 2, "the store grew from " + std::to_string(used) + " to " + std::to_string(now) + " bytes");
}

}  // namespace lotse::check
