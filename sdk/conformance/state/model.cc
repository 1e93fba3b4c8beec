// The whole contract at random, against a model that is too simple to be wrong.
#include "sdk/conformance/state/driver.h"

namespace lotse::check {
namespace {

class Model {
 public:
  uint64_t head(const std::string& key) const {
    auto found = versions_.find(key);
    return found == versions_.end() || !found->second.back().second ? 0 : found->second.back().first;
  }
  // What the outcome must be, apart from a new revision: that is taken from the store.
  void check(const Op& op, const lotse_state_outcome& outcome) {
    for (size_t i = 0; i < op.guards.size(); ++i) {
      if (head(op.guards[i].first) != op.guards[i].second)
        return conflict(outcome, head(op.guards[i].first), static_cast<int32_t>(i));
    }
    if (op.expected != LOTSE_STATE_ANY && op.expected != head(op.key)) return conflict(outcome, head(op.key), -1);
    expect_equal(outcome.code, LOTSE_OK, "the code of an operation that must succeed");
    if (op.kind == LOTSE_STATE_DELETE && head(op.key) == 0)
      return expect_equal(outcome.revision, 0u, "the revision of an idle delete");
    expect(outcome.revision > revision, "a revision did not grow");
    revision = outcome.revision;
    versions_[op.key].push_back({revision, op.kind == LOTSE_STATE_PUT ? std::optional(op.value) : std::nullopt});
  }
  std::vector<Kv> list(uint64_t at, const std::string& start, const std::string& end) const {
    std::vector<Kv> out;
    for (auto key = versions_.lower_bound(start); key != versions_.end() && (end.empty() || key->first < end); ++key) {
      const std::pair<uint64_t, std::optional<std::string>>* seen = nullptr;
      for (const auto& version : key->second) {
        if (version.first <= at) seen = &version;
      }
      if (seen != nullptr && seen->second) out.push_back({key->first, *seen->second, seen->first});
    }
    return out;
  }
  uint64_t revision = 1;
  uint64_t compacted = 1;

 private:
  static void conflict(const lotse_state_outcome& outcome, uint64_t found, int32_t guard) {
    expect_equal(outcome.code, LOTSE_CONFLICT, "the code of an operation that must fail");
    expect_equal(outcome.revision, found, "the revision that a conflict tells");
    expect_equal(outcome.guard, guard, "the guard that a conflict tells");
  }
  std::map<std::string, std::vector<std::pair<uint64_t, std::optional<std::string>>>> versions_;
};

class Play {
 public:
  Play(Store& store, uint64_t seed) : store_(store), random_(seed) {
    for (int i = 0; i < 12; ++i) keys_.push_back("key/" + std::to_string(i));
    for (int i = 0; i < 6; ++i) keys_.push_back(std::string(470 + static_cast<size_t>(i) * 9, 'l') + std::to_string(i));
    for (int i = 0; i < 4; ++i) keys_.push_back(std::string(static_cast<size_t>(i + 1), '\0') + (i % 2 ? "x" : ""));
  }
  void commit() {
    std::vector<Op> ops;
    for (uint64_t n = 1 + pick(5); n > 0; --n) ops.push_back(operation());
    auto outcomes = store_.commit(ops);
    expect_equal(outcomes.size(), ops.size(), "the number of outcomes");
    for (size_t i = 0; i < ops.size(); ++i) model_.check(ops[i], outcomes[i]);
  }
  void range() {
    uint64_t at = pick(3) == 0 ? 0 : model_.compacted + pick(model_.revision - model_.compacted + 1);
    std::string start = pick(2) ? "" : key(), end = pick(2) ? "" : key();
    uint64_t limit = pick(2) ? 0 : 1 + pick(10);
    auto should = model_.list(at == 0 ? model_.revision : at, start, end.empty() || end > start ? end : start + '\0');
    auto is = store_.list(start, end.empty() || end > start ? end : start + '\0', at, limit);
    expect(is == should, "a range at revision " + std::to_string(at) + " of " + std::to_string(model_.revision) +
                             " gives " + std::to_string(is.size()) + " entries that are not the model's " +
                             std::to_string(should.size()));
  }
  void compact() {
    uint64_t revision = model_.compacted + pick(model_.revision - model_.compacted + 1);
    expect_equal(store_.compact(revision), LOTSE_OK, "the code of a compaction");
    model_.compacted = revision;
    if (revision > 1)
      expect_equal(store_.range({.revision = 1 + pick(revision - 1)}).code, LOTSE_COMPACTED, "the code below it");
  }
  void restart() {
    store_.restart();
    expect_equal(store_.info().revision, model_.revision, "the revision after a restart");
    expect_equal(store_.info().compacted, model_.compacted, "the compacted revision after a restart");
  }
  uint64_t pick(uint64_t below) { return random_() % below; }

 private:
  std::string key() { return keys_[pick(keys_.size())]; }
  uint64_t revision_of(const std::string& key) { return pick(4) == 0 ? pick(model_.revision + 2) : model_.head(key); }
  Op operation() {
    Op op;
    op.kind = pick(3) == 0 ? LOTSE_STATE_DELETE : LOTSE_STATE_PUT;
    op.key = key();
    if (op.kind == LOTSE_STATE_PUT)
      op.value = std::string(pick(20) == 0 ? 9000 : pick(60), static_cast<char>('a' + pick(26)));
    op.expected = pick(2) ? LOTSE_STATE_ANY : revision_of(op.key);
    for (uint64_t n = pick(3) == 0 ? pick(4) : 0; n > 0; --n) {
      std::string guard = key();
      op.guards.emplace_back(guard, revision_of(guard));
    }
    return op;
  }
  Store& store_;
  std::mt19937_64 random_;
  std::vector<std::string> keys_;
  Model model_;
};
}  // namespace

LOTSE_CHECK(state, "model.random",
            "thousands of random commits, ranges and compactions agree with the reference model") {
  Store store(subject);
  Play play(store, subject.seed);
  for (int i = 0; i < 2500; ++i) {
    uint64_t what = play.pick(100);
    if (what < 60)
      play.commit();
    else if (what < 97)
      play.range();
    else
      play.compact();
  }
}

LOTSE_CHECK(state, "model.restarts", "the same, with restarts in between") {
  Store store(subject);
  store.need_durable();
  Play play(store, subject.seed + 1);
  for (int i = 0; i < 800; ++i) {
    uint64_t what = play.pick(100);
    if (what < 60)
      play.commit();
    else if (what < 92)
      play.range();
    else if (what < 96)
      play.compact();
    else
      play.restart();
  }
}

}  // namespace lotse::check
