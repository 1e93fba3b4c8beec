// SPDX-License-Identifier: Apache-2.0
//
// lotse.state/1 with watch and backup, made out of a Storage: what state_lmdb and state_memory share.
//
// Two threads: the writer (writer.hpp), which alone changes the storage, and the watchers' (watchers.hpp). Reads
// run on the caller's thread. Thread tags are those of abi/state.h. Needs libcrypto (backup files).
#ifndef LOTSE_STATE_ENGINE_HPP
#define LOTSE_STATE_ENGINE_HPP

#include <lotse/abi/state_backup.h>
#include <time.h>

#include <lotse/state/backup_file.hpp>
#include <lotse/state/watchers.hpp>
#include <lotse/state/writer.hpp>

namespace lotse::state {

inline int64_t unix_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class Engine {
 public:
  // How many revisions a restore leaves out, so that who waits for the one after the last is told to start again.
  static constexpr uint64_t kRestoreGap = 2;

  explicit Engine(std::unique_ptr<Storage> storage, Writer::UnixNow unix_now = unix_now_ns)
      : storage_(std::move(storage)),
        unix_now_(unix_now),
        watchers_(*storage_),
        writer_(*storage_, std::move(unix_now), [this] { watchers_.changed(); }) {
    watchers_.start();
    writer_.start();
  }
  ~Engine() {
    writer_.stop();
    watchers_.stop();
  }

  void commit(const lotse_state_op* ops, size_t count, Writer::Done done, void* ctx) {
    std::vector<Operation> operations;
    operations.reserve(count);
    // An array of structs that may have grown: the first one's size is the distance between two.
    const char* at = reinterpret_cast<const char*>(ops);
    for (size_t i = 0; i < count; ++i) {
      operations.push_back(copy(*reinterpret_cast<const lotse_state_op*>(at + i * ops[0].size)));
    }
    if (int32_t code = writer_.submit(std::move(operations), done, ctx); code != LOTSE_OK) {
      watchers_.post([=] {
        std::vector<lotse_state_outcome> outcomes(count, outcome(code));
        done(ctx, outcomes.data(), count);
      });
    }
  }

  Status range(const lotse_state_range& range, int32_t (*on_entry)(void*, const lotse_state_entry*), void* ctx,
               lotse_state_range_result& result) {
    RangeQuery query;
    query.start = view(range.start);
    query.end = view(range.end);
    query.revision = range.revision;
    query.limit = range.limit;
    query.keys_only = range.keys_only != 0;
    RangeEnd end;
    Status status = storage_->range(
        query,
        [&](const Entry& entry) {
          lotse_state_entry out{};
          out.size = sizeof out;
          out.key = {entry.key.data(), entry.key.size()};
          out.value = {entry.value.data(), entry.value.size()};
          out.revision = entry.revision;
          return on_entry(ctx, &out) != 0;
        },
        end);
    result.more = end.more ? 1 : 0;
    result.revision = end.revision;
    return status;
  }

  Status info(lotse_state_info& info) {
    Facts facts;
    if (Status status = storage_->facts(facts); !status.ok()) return status;
    info.fast_reads = 1;
    if (LOTSE_HAS(&info, lotse_state_info, ephemeral)) info.ephemeral = storage_->durable() ? 0 : 1;
    info.revision = facts.revision;
    info.compacted = facts.compacted;
    info.bytes_used = facts.bytes_used;
    info.bytes_limit = facts.bytes_limit;
    size_t length = std::min(facts.identity.size(), sizeof info.identity - 1);
    memset(info.identity, 0, sizeof info.identity);
    memcpy(info.identity, facts.identity.data(), length);
    return {};
  }

  Status compact(uint64_t revision) {
    Status status = writer_.run([this, revision] { return set_compacted(revision); });
    if (status.ok()) {
      watchers_.changed();
      writer_.sweep();
    }
    return status;
  }

  Status watch(lotse_bytes start, lotse_bytes end, uint64_t from, const lotse_stream_sink& sink, lotse_stream& stream) {
    return watchers_.open(view(start), view(end), from, sink, stream);
  }

  Status backup(int fd) {
    Facts facts;
    if (Status status = pin_now(facts); !status.ok()) return status;
    BackupWriter file(fd);
    file.head(facts.revision, facts.identity, unix_now_());
    Status status = write_entries(file, *storage_, facts.revision);
    writer_.unpin(facts.revision);
    return status.ok() ? file.foot() : status;
  }

  Status restore(int fd, uint64_t floor) {
    BackupReader file(fd);
    uint64_t revision = 0;
    if (Status status = file.head(revision); !status.ok()) return status;
    std::unique_ptr<Replacement> replacement;
    if (Status status = storage_->prepare(replacement); !status.ok()) return status;
    for (;;) {
      Entry entry;
      bool end = false;
      if (Status status = file.next(entry, end); !status.ok()) return status;
      if (end) break;
      if (Status status = replacement->add(entry); !status.ok()) return status;
    }
    Status status = writer_.run([&] {
      Facts facts;
      if (Status now = storage_->facts(facts); !now.ok()) return now;
      uint64_t above = std::max({floor, revision, facts.revision});
      if (above > UINT64_MAX / 2) return Status{LOTSE_INVALID, "the revision floor is beyond all bounds"};
      Status replaced = storage_->replace(std::move(replacement), above + kRestoreGap);
      if (replaced.ok()) watchers_.end_all();
      return replaced;
    });
    return status;
  }

  void poke() { writer_.poke(); }
  Storage& storage() { return *storage_; }

 private:
  Status set_compacted(uint64_t revision) {
    Facts facts;
    if (Status status = storage_->facts(facts); !status.ok()) return status;
    if (revision > facts.revision) {
      return {LOTSE_INVALID, "revision " + std::to_string(revision) + " has not been reached: the store is at " +
                                 std::to_string(facts.revision)};
    }
    if (revision <= facts.compacted) return {};
    for (int attempt = 0; attempt < 8; ++attempt) {
      if (Room room = storage_->begin(0, 1); !room.deletes.ok()) {
        if (room.puts.ok()) storage_->abort();
        return room.deletes;
      }
      storage_->set_compacted(revision);
      Committed committed = storage_->commit();
      if (committed.result == CommitResult::kDone) return {};
      if (committed.result != CommitResult::kAgain) return committed.status;
    }
    return {LOTSE_UNAVAILABLE, "the store could not make room"};
  }

  // Holds the current revision against the sweep.
  Status pin_now(Facts& facts) {
    for (;;) {
      if (Status status = storage_->facts(facts); !status.ok()) return status;
      writer_.pin(facts.revision);
      Facts after;
      Status status = storage_->facts(after);
      if (status.ok() && after.swept <= facts.revision) return {};
      writer_.unpin(facts.revision);
      if (!status.ok()) return status;
    }
  }

  std::unique_ptr<Storage> storage_;
  Writer::UnixNow unix_now_;
  Watchers watchers_;
  Writer writer_;
};

}  // namespace lotse::state
#endif
