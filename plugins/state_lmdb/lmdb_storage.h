// The store on LMDB: a Storage (lotse/state/storage.hpp) of four tables in one file. README.md has the format.
//
// The environment is a generation behind a gate: readers are inside for one bounded piece of work; the writer closes
// the gate when the map grows, when a commit has failed and the file is opened again, and when a backup takes its
// place. A failed commit never ends the store: the file is opened again, at once and with the next batches.
//
// Threads: writer functions by one thread, the others by any (storage.hpp).
#pragma once

#include <atomic>
#include <chrono>

#include "plugins/state_lmdb/environment.h"
#include "plugins/state_lmdb/format.h"
#include "plugins/state_lmdb/gate.h"
#include "plugins/state_lmdb/space.h"

namespace lotse::state_lmdb {

struct Options {
  std::string directory;
  uint64_t size_limit_bytes = UINT64_C(8) << 30;  // of what the file may use
  uint64_t reserve_bytes = UINT64_C(8) << 20;     // beyond it, for deletes
  uint64_t first_map_bytes = UINT64_C(64) << 20;
};

// What an operator should know. Any thread.
struct Notices {
  std::function<void(const char* event, const std::string& sentence)> warn = [](const char*, const std::string&) {};
  std::function<void(const char* reason, const std::string& sentence)> raise = [](const char*, const std::string&) {};
  std::function<void()> clear = [] {};
};

class LmdbStorage : public state::Storage {
 public:
  static state::Status open(const Options& options, Notices notices, std::unique_ptr<LmdbStorage>& out);
  ~LmdbStorage() override;

  state::Room begin(size_t bytes, size_t operations) override;
  uint64_t last_revision() override { return revision_; }
  uint64_t head(std::string_view key) override;
  void apply(const state::Change& change) override;
  state::Committed commit() override;
  void abort() override;
  void set_compacted(uint64_t revision) override;
  void sweep(uint64_t until, size_t limit) override;
  int64_t next_expiry_unix_ns() override;
  std::vector<state::Due> due(int64_t unix_ns, size_t limit) override;
  state::Status replace(std::unique_ptr<state::Replacement> replacement, uint64_t revision) override;

  state::Status facts(state::Facts& facts) override;
  state::Status range(const state::RangeQuery& query, const state::OnEntry& on_entry, state::RangeEnd& end) override;
  state::Status read_log(uint64_t from, std::string_view start, std::string_view end, size_t bytes_max,
                         state::EventChunk& chunk) override;
  state::Status prepare(std::unique_ptr<state::Replacement>& replacement) override;
  bool durable() const override { return true; }

 private:
  class Reading;
  LmdbStorage(const Options& options, Notices notices);
  std::string path() const { return options_.directory + "/" + kFileName; }

  // Generation (lmdb_generation.cc).
  state::Status create_if_missing();
  state::Status open_generation();
  state::Status reopen();
  state::Status ready_to_write();
  state::Status load();
  state::Status room_for(size_t used, size_t bytes);
  bool grow(size_t used_bytes, size_t ahead_bytes);
  state::Committed failed(int rc);
  void tell(const state::Status& status);

  // Within the write transaction.
  void fail(int rc) {
    if (write_error_ == 0) write_error_ = rc;
  }
  void end_write();
  uint64_t newest(std::string_view prefix, char* flags);
  bool log_record(uint64_t revision, Record& record);
  void erase(MDB_dbi table, std::string_view key);
  void erase_version(std::string_view key, uint64_t revision);
  void erase_expiry(uint64_t revision);

  const Options options_;
  const Notices notices_;
  DirectoryLock lock_;
  SpaceAhead space_;
  Gate gate_;
  std::unique_ptr<Environment> env_;  // null while it cannot be opened; changed with the gate closed

  // The writer's own.
  std::chrono::steady_clock::time_point opened_at_;
  state::Status unwritable_;  // why the environment was opened for reading only
  MDB_txn* txn_ = nullptr;
  std::unique_ptr<Cursor> log_cursor_, index_cursor_;
  int write_error_ = 0;
  uint64_t revision_ = 1;        // as committed
  uint64_t batch_revision_ = 0;  // the last in the open transaction; 0: none
  bool expiry_known_ = false;
  bool expiry_touched_ = false;
  int64_t expiry_ = 0;
  bool told_ = false;
};

}  // namespace lotse::state_lmdb
