// SPDX-License-Identifier: Apache-2.0
//
// What a state plugin must know about its medium, and nothing more.
//
// A backend that keeps its data itself (a file, memory) derives from Storage; Engine (engine.hpp) makes the
// whole contract of lotse.state/1, lotse.state.watch/1 and lotse.state.backup/1 out of it: the queue and group
// commit, guards, expiry, watches, compaction and backup files. A storage only keeps versions:
//
//   log    revision -> change      every change ever made that is not swept away
//   index  key + revision -> kind  where a key's versions are
//
// Threads: the functions under "writer" are called by one thread, those under "any" by all at any time.
#ifndef LOTSE_STATE_STORAGE_HPP
#define LOTSE_STATE_STORAGE_HPP

#include <lotse/abi/state.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace lotse::state {

// How something ended: an enum lotse_code, and a sentence where it is not LOTSE_OK.
struct [[nodiscard]] Status {
  int32_t code = LOTSE_OK;
  std::string message;
  bool ok() const { return code == LOTSE_OK; }
};

// A change as it goes into the log. Borrowed.
struct Change {
  uint32_t kind = LOTSE_STATE_PUT;
  uint64_t revision = 0;
  std::string_view key;
  std::string_view value;
  uint64_t previous = 0;        // the revision that it replaces; 0: the key did not exist
  int64_t expires_unix_ns = 0;  // 0: never
};

// A key as a reader sees it. Borrowed.
struct Entry {
  std::string_view key;
  std::string_view value;
  uint64_t revision = 0;
  int64_t expires_unix_ns = 0;
};

struct RangeQuery {
  std::string_view start;
  std::string_view end;   // empty: to the last key
  uint64_t revision = 0;  // 0: now
  uint64_t limit = 0;
  bool keys_only = false;
  bool pinned = false;  // the revision is held by Engine's pin: it may lie below the compacted one
};
struct RangeEnd {
  bool more = false;
  uint64_t revision = 0;
};
using OnEntry = std::function<bool(const Entry&)>;

struct Facts {
  uint64_t revision = 1;
  uint64_t compacted = 1;  // lowest revision that can be read
  uint64_t swept = 1;      // everything below has been taken away
  uint64_t bytes_used = 0;
  uint64_t bytes_limit = 0;
  std::string identity;
};

struct Due {
  std::string key;
  uint64_t revision = 0;
};

// A piece of the log, copied out so that no lock or transaction is held while a watcher looks at it.
class EventChunk {
 public:
  struct Event {
    uint32_t kind;
    uint64_t revision;
    uint64_t previous_revision;
    size_t key_at, key_size, value_at, value_size, previous_at, previous_size;
  };
  void clear() {
    bytes_.clear();
    events_.clear();
    credit_ = 0;
    progress = 0;
    if (bytes_.capacity() > kKeepBytes) bytes_.shrink_to_fit();
  }
  void add(uint32_t kind, uint64_t revision, std::string_view key, std::string_view value, std::string_view previous,
           uint64_t previous_revision) {
    Event event{kind, revision, previous_revision, 0, 0, 0, 0, 0, 0};
    std::tie(event.key_at, event.key_size) = append(key);
    std::tie(event.value_at, event.value_size) = append(value);
    std::tie(event.previous_at, event.previous_size) = append(previous);
    credit_ += key.size() + value.size();
    events_.push_back(event);
  }
  const std::vector<Event>& events() const { return events_; }
  lotse_bytes bytes(size_t at, size_t size) const { return {bytes_.data() + at, size}; }
  size_t memory() const { return bytes_.size(); }
  size_t credit() const { return credit_; }  // what the item costs: keys and values, not the previous values

  uint64_t progress = 0;  // everything up to here has been looked at

 private:
  static constexpr size_t kKeepBytes = 1024 * 1024;
  std::pair<size_t, size_t> append(std::string_view text) {
    size_t at = bytes_.size();
    bytes_.append(text);
    return {at, text.size()};
  }
  std::string bytes_;
  std::vector<Event> events_;
  size_t credit_ = 0;
};

// Whether there is room for a batch, by what it does. Anything but LOTSE_OK refuses those operations.
struct Room {
  Status puts;
  Status deletes;
};

enum class CommitResult {
  kDone,    // it can be read, and survives what it must survive
  kAgain,   // nothing happened; the storage has made room: run the batch once more
  kFailed,  // nothing happened
  kUnknown  // it may have happened
};
struct Committed {
  CommitResult result = CommitResult::kDone;
  Status status;
};

// A store that is being filled aside, to take the place of the present one.
class Replacement {
 public:
  virtual ~Replacement() = default;
  virtual Status add(const Entry& entry) = 0;  // in key order
};

class Storage {
 public:
  virtual ~Storage() = default;

  // --- writer ---
  // Opens a transaction for a batch of about `bytes` in `operations`, if either kind of operation has room.
  // After a failure within the transaction head() says 0, apply() does nothing and commit() tells.
  virtual Room begin(size_t bytes, size_t operations) = 0;
  virtual uint64_t last_revision() = 0;             // when the transaction was opened
  virtual uint64_t head(std::string_view key) = 0;  // revision of its last change; 0: not there
  virtual void apply(const Change& change) = 0;     // revisions only grow
  virtual Committed commit() = 0;                   // durable afterwards
  virtual void abort() = 0;

  // Changes the compacted revision within the open transaction.
  virtual void set_compacted(uint64_t revision) = 0;
  // Takes away up to `limit` of what no reader at `until` or later can see, within the open transaction.
  virtual void sweep(uint64_t until, size_t limit) = 0;

  virtual int64_t next_expiry_unix_ns() = 0;  // 0: nothing ever expires
  virtual std::vector<Due> due(int64_t unix_ns, size_t limit) = 0;

  // Puts the replacement in the store's place; all its entries count as compacted at `revision`.
  virtual Status replace(std::unique_ptr<Replacement> replacement, uint64_t revision) = 0;

  // --- any ---
  virtual Status facts(Facts& facts) = 0;
  virtual Status range(const RangeQuery& query, const OnEntry& on_entry, RangeEnd& end) = 0;
  // Events with revisions >= from of keys in [start, end), until the chunk holds about `bytes_max`.
  virtual Status read_log(uint64_t from, std::string_view start, std::string_view end, size_t bytes_max,
                          EventChunk& chunk) = 0;
  virtual Status prepare(std::unique_ptr<Replacement>& replacement) = 0;

  // --- constant ---
  virtual bool durable() const = 0;  // a commit costs a sync: worth waiting for company
};

inline bool within(std::string_view key, std::string_view start, std::string_view end) {
  return key >= start && (end.empty() || key < end);
}

}  // namespace lotse::state
#endif
