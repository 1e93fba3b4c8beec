// The store in memory: every version of every key, behind one shared mutex.
//
// Writer functions by one thread (see lotse/state/storage.hpp); a batch holds the mutex from begin to commit, so
// that nobody sees half of it. Readers copy references out under the mutex and are called with none held.
#pragma once

#include <deque>
#include <lotse/state/storage.hpp>
#include <map>
#include <set>
#include <shared_mutex>

namespace lotse::state_memory {

class MemoryStorage : public state::Storage {
 public:
  explicit MemoryStorage(uint64_t bytes_limit);

  state::Room begin(size_t bytes, size_t operations) override;
  uint64_t last_revision() override { return tables_.revision; }
  uint64_t head(std::string_view key) override;
  void apply(const state::Change& change) override;
  state::Committed commit() override;
  void abort() override { writing_.unlock(); }
  void set_compacted(uint64_t revision) override { tables_.compacted = revision; }
  void sweep(uint64_t until, size_t limit) override;
  int64_t next_expiry_unix_ns() override;
  std::vector<state::Due> due(int64_t unix_ns, size_t limit) override;
  state::Status replace(std::unique_ptr<state::Replacement> replacement, uint64_t revision) override;

  state::Status facts(state::Facts& facts) override;
  state::Status range(const state::RangeQuery& query, const state::OnEntry& on_entry, state::RangeEnd& end) override;
  state::Status read_log(uint64_t from, std::string_view start, std::string_view end, size_t bytes_max,
                         state::EventChunk& chunk) override;
  state::Status prepare(std::unique_ptr<state::Replacement>& replacement) override;
  bool durable() const override { return false; }

 private:
  using Bytes = std::shared_ptr<const std::string>;
  struct Record {
    uint64_t revision = 0;
    uint32_t kind = LOTSE_STATE_PUT;
    uint64_t previous = 0;
    int64_t expires_unix_ns = 0;
    Bytes key;
    Bytes value;
  };
  using RecordPtr = std::shared_ptr<const Record>;
  using Versions = std::vector<RecordPtr>;  // of one key, oldest first
  struct Tables {
    std::map<std::string, Versions, std::less<>> index;
    std::map<uint64_t, RecordPtr> log;
    std::set<std::pair<int64_t, uint64_t>> expiries;  // unix ns, revision
    uint64_t revision = 1;
    uint64_t compacted = 1;
    uint64_t swept = 1;
    uint64_t bytes = 0;
    void add(RecordPtr record);
    void forget(const RecordPtr& record);
  };
  struct Aside;
  static RecordPtr at(const Versions& versions, uint64_t revision);
  static size_t cost(const Record& record);

  const uint64_t bytes_limit_;
  std::string identity_;
  std::shared_mutex mutex_;
  std::unique_lock<std::shared_mutex> writing_;  // the writer's own
  Tables tables_;
};

}  // namespace lotse::state_memory
