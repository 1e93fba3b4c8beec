// SPDX-License-Identifier: Apache-2.0
//
// The one thread that changes a store, and its queue.
//
// A batch is sent at once when the writer has been free; what arrives while a commit is under way goes together into
// the next one. Clients that wait for their answer and then ask again would so form two groups, each waiting for
// the other's commit: after a commit the writer therefore waits for as many as it has just answered, half as long as
// the commit took at most. Nothing can be read, and nothing is answered, before it is durable; an operation in the
// relaxed class is therefore not answered early but waits for company, kRelaxedDelay at most, so that it costs
// no sync of its own. (Writing it without a sync would let a power cut take back what watchers have seen, and
// on LMDB could cost the whole file.)
//
// The writer sleeps until there is something to do; it sets a timer only while a key is going to expire.
//
// Threads: everything public may be called from any thread, start() and stop() once.
#ifndef LOTSE_STATE_WRITER_HPP
#define LOTSE_STATE_WRITER_HPP

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <lotse/state/operations.hpp>
#include <mutex>
#include <thread>

namespace lotse::state {

class Writer {
 public:
  using Done = void (*)(void* ctx, const lotse_state_outcome* outcomes, size_t count);
  using UnixNow = std::function<int64_t()>;

  static constexpr size_t kWaitingBytesMax = 64u * 1024 * 1024;
  static constexpr size_t kBatchOperationsMax = 8192;
  static constexpr size_t kBatchBytesMax = 16u * 1024 * 1024;
  static constexpr std::chrono::milliseconds kRelaxedDelay{1000};
  static constexpr std::chrono::milliseconds kGatherMax{5};
  static constexpr int64_t kExpiryStepNs = 1'000'000'000;  // keys that expire within the same second go together
  static constexpr std::chrono::seconds kExpiryRetry{4};
  static constexpr size_t kExpiredMax = 1000;
  static constexpr size_t kSweepMax = 1000;

  // `changed` is called by the writer after each commit that changed something, before the answers.
  Writer(Storage& storage, UnixNow unix_now, std::function<void()> changed)
      : storage_(storage), unix_now_(std::move(unix_now)), changed_(std::move(changed)) {}
  ~Writer() { stop(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void start() {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "store");
      loop();
    });
  }

  // Answers what is queued, then ends.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  // LOTSE_OK: done will be called by the writer. LOTSE_BUSY, LOTSE_UNAVAILABLE: it will not.
  int32_t submit(std::vector<Operation> operations, Done done, void* ctx) {
    size_t bytes = 0;
    bool relaxed = !operations.empty(), wake = true;
    for (const Operation& op : operations) {
      bytes += op.bytes();
      relaxed = relaxed && op.relaxed;
    }
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return LOTSE_UNAVAILABLE;
      if (waiting_operations_ + operations.size() > LOTSE_STATE_QUEUE) return LOTSE_BUSY;
      if (waiting_operations_ > 0 && waiting_bytes_ + bytes > kWaitingBytesMax) return LOTSE_BUSY;
      if (queue_.empty()) oldest_ = std::chrono::steady_clock::now();
      waiting_operations_ += operations.size();
      waiting_bytes_ += bytes;
      wake = waiting_operations_ >= wake_at_;
      urgent_ = urgent_ || !relaxed || !storage_.durable() || waiting_bytes_ > kBatchBytesMax;
      queue_.push_back({std::move(operations), {}, done, ctx});
    }
    if (wake) wake_.notify_one();
    return LOTSE_OK;
  }

  // Runs task on the writer's thread, between two batches, and waits for it.
  Status run(std::function<Status()> task) {
    struct Slot {
      std::mutex mutex;
      std::condition_variable ended;
      bool done = false;
      Status status;
    } slot;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return {LOTSE_UNAVAILABLE, "the store is closing"};
      tasks_.push_back([&slot, &task] {
        Status status = task();
        std::lock_guard lock(slot.mutex);
        slot.status = std::move(status);
        slot.done = true;
        slot.ended.notify_one();
      });
    }
    wake_.notify_one();
    std::unique_lock lock(slot.mutex);
    slot.ended.wait(lock, [&] { return slot.done; });
    return slot.status;
  }

  // Keeps what can be read at `revision` until unpin.
  void pin(uint64_t revision) {
    std::lock_guard lock(mutex_);
    pins_.push_back(revision);
  }
  void unpin(uint64_t revision) {
    {
      std::lock_guard lock(mutex_);
      pins_.erase(std::find(pins_.begin(), pins_.end(), revision));
      sweeping_ = true;
    }
    wake_.notify_one();
  }
  // There may be something to sweep.
  void sweep() {
    {
      std::lock_guard lock(mutex_);
      sweeping_ = true;
    }
    wake_.notify_one();
  }
  // The clock has been moved (tests).
  void poke() {
    {
      std::lock_guard lock(mutex_);
      poked_ = true;
    }
    wake_.notify_one();
  }

 private:
  struct Pending {
    std::vector<Operation> operations;
    std::vector<lotse_state_outcome> outcomes;  // of the first so many operations
    Done done;
    void* ctx;
  };
  // Operations [from, from + count) of one pending commit.
  struct Slice {
    Pending* pending;
    size_t from;
    size_t count;
  };
  struct Batch {
    std::vector<Slice> slices;
    size_t operations = 0;
    size_t bytes = 0;
  };

  void loop() {
    std::unique_lock lock(mutex_);
    sweeping_ = true;
    for (;;) {
      wait(lock);
      while (!tasks_.empty()) {
        auto task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task();
        lock.lock();
      }
      gather(lock);
      if (urgent_ || relaxed_due() || stopping_) take(lock);
      lock.unlock();
      write_expired();
      write_taken();
      sweep_step();
      int64_t expiry = storage_.next_expiry_unix_ns();
      lock.lock();
      expiry_unix_ns_ = expiry;
      if (stopping_ && queue_.empty() && tasks_.empty() && taken_.empty()) return;
    }
  }

  bool relaxed_due() const { return !queue_.empty() && std::chrono::steady_clock::now() >= oldest_ + kRelaxedDelay; }
  bool ready() const { return stopping_ || urgent_ || !tasks_.empty() || sweeping_ || poked_ || !taken_.empty(); }

  void wait(std::unique_lock<std::mutex>& lock) {
    while (!ready() && !relaxed_due()) {
      int64_t expiry = expiry_unix_ns_;
      if (!queue_.empty()) {
        wake_.wait_until(lock, oldest_ + kRelaxedDelay);
      } else if (expiry_retry_ > std::chrono::steady_clock::now()) {
        wake_.wait_until(lock, expiry_retry_);
      } else if (expiry == 0) {
        wake_.wait(lock);
        continue;
      } else if (int64_t now = unix_now_(); now < round_up(expiry)) {
        // Absolute and on the wall clock, so that a clock that is set is noticed.
        auto until = std::chrono::system_clock::now() + std::chrono::nanoseconds(round_up(expiry) - now);
        wake_.wait_until(lock, until);
      }
      if (expiry != 0 && unix_now_() >= expiry && expiry_retry_ <= std::chrono::steady_clock::now()) break;
    }
    poked_ = false;
  }
  static int64_t round_up(int64_t ns) { return (ns + kExpiryStepNs - 1) / kExpiryStepNs * kExpiryStepNs; }

  // Just after a commit: those whom it has answered may come again at once. Who is alone waits for nobody.
  void gather(std::unique_lock<std::mutex>& lock) {
    if (!urgent_ || !storage_.durable() || stopping_ || !taken_.empty() || !tasks_.empty()) return;
    wake_at_ = std::min(std::exchange(company_, 0), kBatchOperationsMax);
    wake_.wait_until(lock, gather_until_, [&] { return stopping_ || waiting_operations_ >= wake_at_ || !tasks_.empty(); });
    wake_at_ = 0;
  }

  // Moves what waits to taken_, where only the writer looks.
  void take(std::unique_lock<std::mutex>&) {
    for (Pending& pending : queue_) taken_.push_back(std::move(pending));
    queue_.clear();
    urgent_ = false;
  }

  // One batch out of taken_: commits may be split, as each operation stands for itself.
  void write_taken() {
    if (taken_.empty()) return;
    Batch batch;
    for (Pending& pending : taken_) {
      size_t from = pending.outcomes.size();
      size_t count = 0;
      while (from + count < pending.operations.size() && batch.operations < kBatchOperationsMax &&
             (batch.bytes < kBatchBytesMax || batch.operations == 0)) {
        batch.bytes += pending.operations[from + count].bytes();
        ++batch.operations;
        ++count;
      }
      batch.slices.push_back({&pending, from, count});
      if (from + count < pending.operations.size()) break;
    }
    const auto begun = std::chrono::steady_clock::now();
    write(batch);
    const auto ended = std::chrono::steady_clock::now();
    gather_until_ = ended + std::min<std::chrono::nanoseconds>((ended - begun) / 2, kGatherMax);
    {
      std::lock_guard lock(mutex_);
      waiting_operations_ -= batch.operations;
      waiting_bytes_ -= batch.bytes;
      company_ = waiting_operations_ + batch.operations;
    }
    while (!taken_.empty() && taken_.front().outcomes.size() == taken_.front().operations.size()) {
      Pending& pending = taken_.front();
      if (pending.done != nullptr) pending.done(pending.ctx, pending.outcomes.data(), pending.outcomes.size());
      taken_.pop_front();
    }
  }

  void write(Batch& batch) {
    for (const Slice& slice : batch.slices) {
      slice.pending->outcomes.resize(slice.from + slice.count, outcome(LOTSE_INTERNAL));
    }
    for (int attempt = 0; attempt < 8; ++attempt) {
      Room room = storage_.begin(batch.bytes, batch.operations);
      if (!room.puts.ok() && !room.deletes.ok()) return refuse(batch, room.puts.code, room.deletes.code);
      uint64_t before = storage_.last_revision();
      uint64_t revision = before;
      try_all(batch, room, revision);
      Committed committed = storage_.commit();
      if (committed.result == CommitResult::kAgain) continue;
      if (committed.result == CommitResult::kUnknown) return refuse(batch, LOTSE_UNKNOWN, LOTSE_UNKNOWN);
      if (committed.result == CommitResult::kFailed) return refuse(batch, committed.status.code, committed.status.code);
      if (revision != before) changed_();
      return;
    }
    refuse(batch, LOTSE_UNAVAILABLE, LOTSE_UNAVAILABLE);
  }

  void try_all(Batch& batch, const Room& room, uint64_t& revision) {
    int64_t now = unix_now_();
    for (const Slice& slice : batch.slices) {
      for (size_t i = slice.from; i < slice.from + slice.count; ++i) {
        const Operation& op = slice.pending->operations[i];
        const Status& fits = op.kind == LOTSE_STATE_PUT ? room.puts : room.deletes;
        lotse_state_outcome& out = slice.pending->outcomes[i];
        out = op.refused == LOTSE_OK && !fits.ok() ? outcome(fits.code) : state::run(storage_, op, now, revision);
      }
    }
  }

  static void refuse(Batch& batch, int32_t puts, int32_t deletes) {
    for (const Slice& slice : batch.slices) {
      for (size_t i = slice.from; i < slice.from + slice.count; ++i) {
        const Operation& op = slice.pending->operations[i];
        int32_t code = op.kind == LOTSE_STATE_PUT ? puts : deletes;
        slice.pending->outcomes[i] = outcome(op.refused != LOTSE_OK ? op.refused : code);
      }
    }
  }

  // Deletes what has expired, in a batch of its own before the others.
  void write_expired() {
    int64_t next = storage_.next_expiry_unix_ns();
    bool failed = false;
    if (next != 0 && unix_now_() >= next && expiry_retry_ <= std::chrono::steady_clock::now()) {
      Pending pending{};
      for (Due& due : storage_.due(unix_now_(), kExpiredMax)) {
        Operation op;
        op.kind = LOTSE_STATE_DELETE;
        op.key = std::move(due.key);
        op.expected = due.revision;
        pending.operations.push_back(std::move(op));
      }
      Batch batch;
      batch.operations = pending.operations.size();
      batch.slices.push_back({&pending, 0, pending.operations.size()});
      write(batch);
      failed = pending.operations.empty() ||
               std::any_of(pending.outcomes.begin(), pending.outcomes.end(),
                           [](const auto& o) { return o.code != LOTSE_OK && o.code != LOTSE_CONFLICT; });
    }
    std::lock_guard lock(mutex_);
    if (failed) expiry_retry_ = std::chrono::steady_clock::now() + kExpiryRetry;
  }

  void sweep_step() {
    uint64_t lowest_pin = UINT64_MAX;
    {
      std::lock_guard lock(mutex_);
      if (!sweeping_) return;
      for (uint64_t pin : pins_) lowest_pin = std::min(lowest_pin, pin);
    }
    Facts facts;
    bool more = false;
    if (storage_.facts(facts).ok()) {
      uint64_t until = std::min(facts.compacted, lowest_pin);
      if (facts.swept < until) {
        more = storage_.begin(0, kSweepMax).deletes.ok();
        if (more) {
          storage_.sweep(until, kSweepMax);
          CommitResult result = storage_.commit().result;
          more = result == CommitResult::kDone || result == CommitResult::kAgain;
        }
      }
    }
    std::lock_guard lock(mutex_);
    if (!more) sweeping_ = false;  // a failure is tried again with the next compaction
  }

  Storage& storage_;
  UnixNow unix_now_;
  std::function<void()> changed_;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  std::deque<std::function<void()>> tasks_;
  std::vector<uint64_t> pins_;
  size_t waiting_operations_ = 0;
  size_t waiting_bytes_ = 0;
  std::chrono::steady_clock::time_point oldest_;
  std::chrono::steady_clock::time_point expiry_retry_;
  int64_t expiry_unix_ns_ = 0;
  bool urgent_ = false;  // something waits that should go at once
  bool sweeping_ = false;
  bool poked_ = false;
  bool stopping_ = false;

  size_t wake_at_ = 0;   // how many must wait before the writer, which gathers, is woken

  // The writer's own:
  std::deque<Pending> taken_;
  size_t company_ = 0;  // how many the last commit answered, and who waited then
  std::chrono::steady_clock::time_point gather_until_;
};

}  // namespace lotse::state
#endif
