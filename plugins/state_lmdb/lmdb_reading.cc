// The readers' side: each call is one bounded piece of work within one read transaction.
#include <lotse/state/identity.hpp>

#include "plugins/state_lmdb/lmdb_storage.h"

namespace lotse::state_lmdb {
namespace {
constexpr size_t kChunkEntries = 2048;
constexpr size_t kChunkBytes = 1024 * 1024;
constexpr size_t kChunkSteps = 65536;   // index entries looked at after the first that was given
constexpr size_t kChunkRecords = 4096;  // of the log
constexpr char kUnreadable[] = "the store's file could not be read";
}  // namespace

// Inside the gate, with a read transaction.
class LmdbStorage::Reading {
 public:
  explicit Reading(LmdbStorage& storage) : gate_(storage.gate_) {
    gate_.enter();
    env_ = storage.env_.get();
    if (env_ != nullptr) read_.emplace(*env_);
  }
  ~Reading() {
    read_.reset();
    gate_.leave();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  state::Status status() const {
    if (env_ == nullptr) return {LOTSE_UNAVAILABLE, "the store's file is being opened again"};
    return explain(kUnreadable, read_->error());
  }
  MDB_txn* txn() const { return read_->txn(); }
  const Tables& tables() const { return env_->tables(); }
  Environment& environment() const { return *env_; }
  uint64_t meta(const char* name) const { return meta_number(txn(), tables(), name); }
  uint64_t revision() const {
    Cursor log(txn(), tables().log);
    uint64_t base = meta(kMetaBase);
    return log.last() ? std::max(base, read_number(log.key())) : base;
  }
  int record(uint64_t revision, Record& record) const {
    std::string at = number(revision);
    MDB_val key = val(at), value{};
    int rc = mdb_get(txn(), tables().log, &key, &value);
    return rc != 0 ? rc : read_record(view(value), record) ? 0 : MDB_CORRUPTED;
  }

 private:
  Gate& gate_;
  Environment* env_;
  std::optional<Environment::Read> read_;
};

namespace {
// A walk along the index that stops at each key once, with the version of it that is seen at a revision.
class Walk {
 public:
  Walk(MDB_txn* txn, MDB_dbi index, uint64_t revision) : cursor_(txn, index), revision_(revision) {}

  void start(std::string_view at) { valid_ = at.empty() ? cursor_.first() : cursor_.seek(at); }
  bool valid() const { return valid_; }
  int error() const { return cursor_.error() != 0 ? cursor_.error() : broken_ ? MDB_CORRUPTED : 0; }
  size_t steps() const { return steps_; }

  // Takes the key at hand and goes on to the next one. `seen` is the revision of the version that is seen, 0 if none.
  // False: the index is broken.
  bool take(std::string& prefix, std::string& group, uint64_t& seen) {
    IndexKey key;
    if (!read_index_key(cursor_.key(), key)) return !(broken_ = true);
    prefix = key.prefix;
    group = key.group;
    seen = 0;
    see(key.revision, seen);
    step();
    if (!valid_ || !same(prefix)) return true;
    // More than one version: straight to the one that counts, then past them all.
    bool there =
        revision_ != UINT64_MAX && cursor_.seek(prefix + number(revision_ + 1)) ? cursor_.previous() : cursor_.last();
    if (there && same(prefix)) see(read_number(cursor_.key().substr(prefix.size())), seen);
    valid_ = cursor_.seek(prefix + std::string(9, '\xff'));
    steps_ += 2;
    return true;
  }

 private:
  void step() {
    valid_ = cursor_.next();
    ++steps_;
  }
  bool same(std::string_view prefix) const {
    return cursor_.key().size() == prefix.size() + 8 && cursor_.key().starts_with(prefix);
  }
  void see(uint64_t version, uint64_t& seen) const {
    if (version > revision_) return;
    char flags = cursor_.value().empty() ? '\0' : cursor_.value()[0];
    seen = (flags & kIndexKindMask) == LOTSE_STATE_PUT ? version : 0;
  }

  Cursor cursor_;
  const uint64_t revision_;
  bool valid_ = false;
  bool broken_ = false;
  size_t steps_ = 0;
};

struct Found {
  std::string key;
  uint64_t revision;
};
}  // namespace

state::Status LmdbStorage::facts(state::Facts& facts) {
  Reading reading(*this);
  if (state::Status status = reading.status(); !status.ok()) return status;
  facts.revision = reading.revision();
  facts.compacted = reading.meta(kMetaCompacted);
  facts.swept = reading.meta(kMetaSwept);
  facts.identity = meta_text(reading.txn(), reading.tables(), kMetaIdentity);
  facts.bytes_used = reading.environment().used_bytes();
  facts.bytes_limit = options_.size_limit_bytes;
  return {};
}

state::Status LmdbStorage::range(const state::RangeQuery& query, const state::OnEntry& on_entry, state::RangeEnd& end) {
  Reading reading(*this);
  if (state::Status status = reading.status(); !status.ok()) return status;
  uint64_t current = reading.revision();
  if (state::Status status = state::check_revision(query, current, reading.meta(kMetaCompacted)); !status.ok()) {
    return status;
  }
  end.revision = query.revision == 0 ? current : query.revision;
  size_t most = query.limit == 0 ? kChunkEntries : std::min<uint64_t>(query.limit, kChunkEntries);
  size_t given = 0, bytes = 0, steps_at_first = 0;
  bool wanted = true;
  int rc = 0;
  Walk walk(reading.txn(), reading.tables().index, end.revision);

  // False: enough.
  auto give = [&](const std::string& key, uint64_t revision) {
    if (!state::within(key, query.start, query.end)) return true;
    if (!wanted || given == most || bytes >= kChunkBytes) {
      end.more = true;
      return false;
    }
    Record record;
    if (!query.keys_only && (rc = reading.record(revision, record)) != 0) return false;
    wanted = on_entry({key, record.value, revision, record.expires_unix_ns});
    bytes += key.size() + record.value.size();
    if (given++ == 0) steps_at_first = walk.steps();
    return true;
  };

  std::string prefix, group, key;
  std::vector<Found> hashed;  // of one group: they follow by their hash, and are given by their key
  std::string hashed_group;
  auto give_hashed = [&] {
    std::sort(hashed.begin(), hashed.end(), [](const Found& a, const Found& b) { return a.key < b.key; });
    for (const Found& found : hashed) {
      if (!give(found.key, found.revision)) return false;
    }
    hashed.clear();
    return true;
  };

  walk.start(query.start.empty() ? std::string() : index_start(query.start));
  bool going = true;
  while (going && rc == 0 && walk.valid()) {
    uint64_t seen = 0;
    if (!walk.take(prefix, group, seen)) break;
    if (group != hashed_group) {
      going = give_hashed();
      hashed_group = group;
    }
    if (!going) break;
    if (group.empty()) {
      unescape(prefix, key);
      if (!query.end.empty() && key >= query.end) break;
      if (seen != 0) going = give(key, seen);
    } else if (seen != 0) {
      Record record;
      if ((rc = reading.record(seen, record)) == 0) hashed.push_back({std::string(record.key), seen});
    }
    if (going && given > 0 && group.empty() && walk.valid() && walk.steps() - steps_at_first > kChunkSteps) {
      end.more = true;  // as far as was looked
      going = false;
    }
  }
  if (going && rc == 0) give_hashed();
  return explain(kUnreadable, rc != 0 ? rc : walk.error());
}

state::Status LmdbStorage::read_log(uint64_t from, std::string_view start, std::string_view end, size_t bytes_max,
                                    state::EventChunk& chunk) {
  Reading reading(*this);
  if (state::Status status = reading.status(); !status.ok()) return status;
  if (from < reading.meta(kMetaCompacted)) {
    return {LOTSE_COMPACTED, "revision " + std::to_string(from) + " has been compacted"};
  }
  Cursor log(reading.txn(), reading.tables().log);
  size_t scanned = 0;
  for (bool found = log.seek(number(from)); found; found = log.next()) {
    if (scanned == kChunkRecords || (scanned > 0 && chunk.memory() >= bytes_max)) return {};
    ++scanned;
    Record record, previous;
    if (!read_record(log.value(), record)) return explain(kUnreadable, MDB_CORRUPTED);
    uint64_t revision = read_number(log.key());
    if (state::within(record.key, start, end)) {
      if (record.previous != 0) {
        if (int rc = reading.record(record.previous, previous); rc != 0) return explain(kUnreadable, rc);
      }
      chunk.add(record.kind, revision, record.key, record.value, previous.value, record.previous);
    }
    chunk.progress = revision;
  }
  if (log.error() != 0) return explain(kUnreadable, log.error());
  chunk.progress = std::max(from - 1, reading.revision());
  return {};
}

}  // namespace lotse::state_lmdb
