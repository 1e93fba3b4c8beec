// SPDX-License-Identifier: Apache-2.0
//
// All watches of one store, served by one thread.
//
// A watcher is a place in the log and some credit. After each commit, grant or open the thread reads every
// watcher that has both something to see and credit a chunk from the log by revision, copies it out, and hands
// it over with no lock or transaction held. There is no queue of events: who is slow keeps its place and nothing
// else, and live and late watchers take the same way, so that there is no seam between the two to lose an
// event in. A watcher whose place has been compacted ends with LOTSE_COMPACTED.
//
// Threads: all public functions from any thread; sinks are called by the one thread only.
#ifndef LOTSE_STATE_WATCHERS_HPP
#define LOTSE_STATE_WATCHERS_HPP

#include <lotse/abi/state_watch.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <lotse/state/storage.hpp>
#include <mutex>
#include <thread>

namespace lotse::state {

class Watchers {
 public:
  static constexpr size_t kChunkBytes = 256 * 1024;

  explicit Watchers(Storage& storage) : storage_(storage) {}
  ~Watchers() { stop(); }
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  void start() {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "store watch");
      loop();
    });
  }
  // Ends every watch.
  void stop() {
    {
      std::lock_guard lock(shared_->mutex);
      shared_->stopping = true;
    }
    shared_->wake.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  // from 0: from the next change on.
  Status open(std::string_view start, std::string_view end, uint64_t from, const lotse_stream_sink& sink,
              lotse_stream& stream) {
    if (from == 0) {
      Facts facts;
      if (Status status = storage_.facts(facts); !status.ok()) return status;
      from = facts.revision + 1;
    }
    auto watcher = std::make_shared<Watcher>();
    watcher->shared = shared_;
    watcher->start = start;
    watcher->end = end;
    watcher->next = from;
    watcher->sink = sink;
    {
      std::lock_guard lock(shared_->mutex);
      if (shared_->stopping) return {LOTSE_UNAVAILABLE, "the store is closing"};
      watchers_.push_back(watcher);
      shared_->work = true;
    }
    shared_->wake.notify_one();
    fill(stream, new std::shared_ptr<Watcher>(watcher));
    return {};
  }

  // Something has been committed or compacted.
  void changed() { shared_->notify(); }
  // The store has been replaced: nobody's place means anything any more.
  void end_all() {
    {
      std::lock_guard lock(shared_->mutex);
      for (auto& watcher : watchers_) watcher->superseded = true;
    }
    shared_->notify();
  }
  // Runs fn on the watchers' thread, soon.
  void post(std::function<void()> fn) {
    {
      std::lock_guard lock(shared_->mutex);
      posted_.push_back(std::move(fn));
      shared_->work = true;
    }
    shared_->wake.notify_one();
  }

 private:
  // Outlives the store as long as somebody holds a stream.
  struct Shared {
    std::mutex mutex;
    std::condition_variable wake;
    bool work = false;
    bool stopping = false;
    void notify() {
      {
        std::lock_guard lock(mutex);
        work = true;
      }
      wake.notify_one();
    }
  };
  struct Watcher {
    std::shared_ptr<Shared> shared;
    std::string start, end;
    uint64_t next = 0;  // the thread's own
    lotse_stream_sink sink{};
    std::atomic<int64_t> credit{0};
    std::atomic<bool> cancelled{false};
    std::atomic<bool> superseded{false};
    std::atomic<bool> ended{false};
  };

  void loop() {
    std::unique_lock lock(shared_->mutex);
    for (;;) {
      shared_->wake.wait(lock, [this] { return shared_->work || shared_->stopping; });
      shared_->work = false;
      bool stopping = shared_->stopping;
      auto posted = std::exchange(posted_, {});
      auto watchers = watchers_;
      lock.unlock();
      for (auto& fn : posted) fn();
      bool more = false;
      for (auto& watcher : watchers) {
        if (stopping)
          finish(*watcher, LOTSE_UNAVAILABLE, "the store is closing");
        else
          more = serve(*watcher) || more;
      }
      watchers.clear();
      lock.lock();
      std::erase_if(watchers_, [](const auto& watcher) { return watcher->ended.load(); });
      if (more) shared_->work = true;
      if (stopping && watchers_.empty() && posted_.empty()) return;
    }
  }

  // One chunk for one watcher, so that none waits for another's whole history. True: there may be more.
  bool serve(Watcher& watcher) {
    if (watcher.cancelled) return finish(watcher, LOTSE_CANCELLED, "the watch was cancelled");
    if (watcher.superseded) return finish(watcher, LOTSE_COMPACTED, "the store has been restored from a backup");
    Facts facts;
    if (Status status = storage_.facts(facts); !status.ok()) return finish(watcher, status.code, status.message);
    if (watcher.next < facts.compacted) return compacted(watcher, facts.compacted);
    if (watcher.next > facts.revision) return false;
    int64_t credit = watcher.credit.load();
    if (credit <= 0) return false;
    chunk_.clear();
    size_t bytes_max = std::min<size_t>(kChunkBytes, static_cast<size_t>(credit));
    Status status = storage_.read_log(watcher.next, watcher.start, watcher.end, bytes_max, chunk_);
    if (status.code == LOTSE_COMPACTED) return compacted(watcher, watcher.next + 1);
    if (!status.ok()) return finish(watcher, status.code, status.message);
    watcher.next = chunk_.progress + 1;
    watcher.credit -= static_cast<int64_t>(std::max<size_t>(1, chunk_.credit()));
    deliver(watcher);
    return true;
  }

  void deliver(Watcher& watcher) {
    events_.clear();
    for (const EventChunk::Event& event : chunk_.events()) {
      lotse_state_event out{};
      out.size = sizeof out;
      out.kind = event.kind;
      out.revision = event.revision;
      out.key = chunk_.bytes(event.key_at, event.key_size);
      out.value = chunk_.bytes(event.value_at, event.value_size);
      out.previous = chunk_.bytes(event.previous_at, event.previous_size);
      out.previous_revision = event.previous_revision;
      events_.push_back(out);
    }
    lotse_state_events item{};
    item.size = sizeof item;
    item.events = events_.data();
    item.count = events_.size();
    item.progress = chunk_.progress;
    watcher.sink.on_item(watcher.sink.ctx, 0, {&item, sizeof item});
  }

  static bool compacted(Watcher& watcher, uint64_t lowest) {
    return finish(watcher, LOTSE_COMPACTED,
                  "revision " + std::to_string(watcher.next) + " has been compacted; the lowest that is kept is " +
                      std::to_string(lowest));
  }
  static bool finish(Watcher& watcher, int32_t code, const std::string& sentence) {
    if (!watcher.ended.exchange(true)) {
      watcher.sink.on_end(watcher.sink.ctx, code, {sentence.data(), sentence.size()});
    }
    return false;
  }

  static Watcher& of(void* self) { return **static_cast<std::shared_ptr<Watcher>*>(self); }
  static void fill(lotse_stream& stream, std::shared_ptr<Watcher>* self) {
    stream = {};
    stream.size = sizeof stream;
    stream.self = self;
    stream.grant = [](void* self, uint64_t bytes) {
      constexpr int64_t kMost = INT64_C(1) << 62;
      int64_t more = static_cast<int64_t>(std::min<uint64_t>(bytes, kMost));
      int64_t had = of(self).credit.load();
      while (!of(self).credit.compare_exchange_weak(had, had > kMost - more ? kMost : had + more)) {
      }
      of(self).shared->notify();
    };
    stream.write = [](void* self, uint32_t, lotse_bytes) -> int32_t {
      return of(self).ended ? LOTSE_CANCELLED : LOTSE_UNSUPPORTED;
    };
    stream.half_close = [](void*, uint32_t) {};
    stream.control = [](void*, uint32_t, lotse_bytes) -> int32_t { return LOTSE_UNSUPPORTED; };
    stream.cancel = [](void* self) {
      of(self).cancelled = true;
      of(self).shared->notify();
    };
    stream.release = [](void* self) { delete static_cast<std::shared_ptr<Watcher>*>(self); };
  }

  Storage& storage_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
  std::vector<std::shared_ptr<Watcher>> watchers_;  // under the mutex
  std::vector<std::function<void()>> posted_;       // under the mutex
  EventChunk chunk_;                                // the thread's own
  std::vector<lotse_state_event> events_;           // the thread's own
};

}  // namespace lotse::state
#endif
