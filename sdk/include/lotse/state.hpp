// SPDX-License-Identifier: Apache-2.0
//
// State: derive it; abi/state.h is the contract, and its structs are passed on as they are (this is a hot path).
// Watches are Producers (stream.hpp) that send events with send_events.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "lotse/abi/state.h"
#include "lotse/abi/state_backup.h"
#include "lotse/abi/state_watch.h"
#include "lotse/plugin.hpp"
#include "lotse/stream.hpp"

namespace lotse::sdk {

inline lotse_state_outcome outcome(int32_t code, uint64_t revision = 0, int32_t guard = -1) {
  return {sizeof(lotse_state_outcome), code, revision, guard, 0};
}

// The answer of a commit. Copies are the same; the first answer counts; dropped without one, every outcome is
// LOTSE_UNKNOWN, as nobody can tell any more.
class CommitDone {
 public:
  using Fn = void (*)(void* ctx, const lotse_state_outcome* outcomes, size_t count);
  CommitDone(Fn fn, void* ctx, size_t count) : state_(std::make_shared<State>(fn, ctx, count)) {}
  // REQUIRES: as many outcomes as operations.
  void operator()(const lotse_state_outcome* outcomes, size_t count) const { state_->end(outcomes, count); }
  void operator()(const std::vector<lotse_state_outcome>& outcomes) const {
    state_->end(outcomes.data(), outcomes.size());
  }
  // The same for all of them.
  void all(int32_t code) const { (*this)(std::vector<lotse_state_outcome>(state_->count, outcome(code))); }

 private:
  struct State {
    State(Fn f, void* c, size_t n) : fn(f), ctx(c), count(n) {}
    ~State() {
      if (ended.load()) return;
      std::vector<lotse_state_outcome> unknown(count, outcome(LOTSE_UNKNOWN));
      end(unknown.data(), count);
    }
    void end(const lotse_state_outcome* outcomes, size_t n) {
      if (!ended.exchange(true)) fn(ctx, outcomes, n);
    }
    Fn fn;
    void* ctx;
    size_t count;
    std::atomic<bool> ended{false};
  };
  std::shared_ptr<State> state_;
};

// Events with the memory that they point to: fill `events` (and whatever `memory` holds), then send_events.
struct EventBatch {
  std::vector<lotse_state_event> events;
  std::shared_ptr<const void> memory;
  uint64_t progress = 0;
  lotse_state_events raw{};
};

// False as for send: no credit or ended. Free of copies.
inline bool send_events(Producer* producer, std::shared_ptr<EventBatch> batch) {
  batch->raw = {sizeof(lotse_state_events), 0, batch->events.data(), batch->events.size(), batch->progress};
  uint64_t cost = 0;
  for (const lotse_state_event& e : batch->events) cost += e.key.size + e.value.size;
  lotse_bytes item{&batch->raw, sizeof batch->raw};
  return producer->send_item(0, item, cost, std::move(batch));
}

struct StateAbilities {
  bool watch = false;
  bool backup = false;
};

class State : public Instance {
 public:
  State(const Host& host, StateAbilities abilities) : Instance(host), abilities_(abilities) {
    c_.base = base_of(sizeof c_);
    c_.commit = commit_c;
    c_.range = [](void* self, const lotse_state_range* range, int32_t (*on_entry)(void*, const lotse_state_entry*),
                  void* ctx, lotse_state_range_result* result, lotse_error* error) {
      return guarded("range", error, [&] {
        as<State>(self)->range(
            *range, [&](const lotse_state_entry& e) { return on_entry(ctx, &e) != 0; }, result);
      });
    };
    c_.info = [](void* self, lotse_state_info* info, lotse_error* error) {
      return guarded("info", error, [&] { as<State>(self)->info(info); });
    };
    c_.compact = [](void* self, uint64_t revision, lotse_error* error) {
      return guarded("compact", error, [&] { as<State>(self)->compact(revision); });
    };
    watch_.size = sizeof watch_;
    watch_.open = [](void* self, lotse_bytes start, lotse_bytes end, uint64_t from, const lotse_stream_sink* sink,
                     lotse_stream* stream, lotse_error* error) {
      return open_stream("watch", sink, stream, error,
                         [&] { return as<State>(self)->watch(view(start), view(end), from); });
    };
    backup_.size = sizeof backup_;
    backup_.write = [](void* self, int32_t fd, lotse_error* error) {
      return guarded("backup", error, [&] { as<State>(self)->backup(fd); });
    };
    backup_.read = [](void* self, int32_t fd, uint64_t floor, lotse_error* error) {
      return guarded("restore", error, [&] { as<State>(self)->restore(fd, floor); });
    };
  }
  const lotse_instance* c_instance() override { return &c_.base; }
  const void* extension(std::string_view id) override {
    if (id == LOTSE_STATE_WATCH && abilities_.watch) return &watch_;
    if (id == LOTSE_STATE_BACKUP && abilities_.backup) return &backup_;
    return nullptr;
  }

  // [any] ops are borrowed until it returns.
  virtual void commit(const lotse_state_op* ops, size_t count, CommitDone done) = 0;
  // on_entry returns false when it wants no more. `result` comes with its size set. Throws Failure.
  virtual void range(const lotse_state_range& range, const std::function<bool(const lotse_state_entry&)>& on_entry,
                     lotse_state_range_result* result) = 0;
  virtual void info(lotse_state_info* info) = 0;
  virtual void compact(uint64_t revision) = 0;
  virtual ProducerPtr watch(std::string_view start, std::string_view end, uint64_t from) {
    (void)start, (void)end, (void)from;
    return nullptr;
  }
  virtual void backup(int fd) {
    (void)fd;
    throw Failure(LOTSE_UNSUPPORTED, "this state backend makes no backups");
  }
  virtual void restore(int fd, uint64_t floor) {
    (void)fd, (void)floor;
    throw Failure(LOTSE_UNSUPPORTED, "this state backend restores no backups");
  }

 private:
  static void commit_c(void* self, const lotse_state_op* ops, size_t count, CommitDone::Fn fn, void* ctx) {
    auto* state = as<State>(self);
    try {
      CommitDone done(fn, ctx, count);
      // What was thrown may have come after the operations were queued, so their outcome is not known.
      state->host().protect([&] { state->commit(ops, count, std::move(done)); }, "commit");
    } catch (...) {
      std::vector<lotse_state_outcome> none;
      fn(ctx, none.data(), 0);  // out of memory: fewer outcomes than operations counts as LOTSE_UNKNOWN
    }
  }
  StateAbilities abilities_;
  lotse_state c_{};
  lotse_state_watch watch_{};
  lotse_state_backup backup_{};
};

}  // namespace lotse::sdk
