// SPDX-License-Identifier: Apache-2.0
//
// The instance of a state plugin whose data lies in a Storage of its own: lotse::sdk::State on top of an Engine.
#ifndef LOTSE_STATE_INSTANCE_HPP
#define LOTSE_STATE_INSTANCE_HPP

#include <lotse/abi/state_current.h>

#include <lotse/state.hpp>
#include <lotse/state/engine.hpp>

namespace lotse::state {

class EngineInstance : public sdk::State {
 public:
  EngineInstance(const sdk::Host& host, std::unique_ptr<Storage> storage)
      : State(host, {.watch = false, .backup = true}), engine_(std::move(storage)) {
    // The engine's watches keep their own credit and thread: they need no Producer.
    watch_.size = sizeof watch_;
    watch_.open = [](void* self, lotse_bytes start, lotse_bytes end, uint64_t from, const lotse_stream_sink* sink,
                     lotse_stream* stream, lotse_error* error) {
      return sdk::guarded("watch", error,
                          [&] { need(as<EngineInstance>(self)->engine_.watch(start, end, from, *sink, *stream)); });
    };
    // Nobody else writes to this store: what it holds is current.
    current_.size = sizeof current_;
    current_.ask = [](void* self, int64_t, void (*done)(void*, int32_t, uint64_t), void* ctx) {
      Facts facts;
      int32_t code = as<EngineInstance>(self)->engine_.storage().facts(facts).code;
      done(ctx, code, facts.revision);
    };
  }

  const void* extension(std::string_view id) override {
    if (id == LOTSE_STATE_CURRENT) return &current_;
    return id == LOTSE_STATE_WATCH ? &watch_ : State::extension(id);
  }
  void commit(const lotse_state_op* ops, size_t count, sdk::CommitDone done) override {
    auto* answer = new sdk::CommitDone(std::move(done));
    engine_.commit(
        ops, count,
        [](void* ctx, const lotse_state_outcome* outcomes, size_t n) {
          std::unique_ptr<sdk::CommitDone> answer(static_cast<sdk::CommitDone*>(ctx));
          (*answer)(outcomes, n);
        },
        answer);
  }
  void range(const lotse_state_range& range, const std::function<bool(const lotse_state_entry&)>& on_entry,
             lotse_state_range_result* result) override {
    auto call = [](void* ctx, const lotse_state_entry* entry) -> int32_t {
      return (*static_cast<const std::function<bool(const lotse_state_entry&)>*>(ctx))(*entry) ? 1 : 0;
    };
    need(engine_.range(range, call, const_cast<void*>(static_cast<const void*>(&on_entry)), *result));
  }
  void info(lotse_state_info* info) override { need(engine_.info(*info)); }
  void compact(uint64_t revision) override { need(engine_.compact(revision)); }
  void backup(int fd) override { need(engine_.backup(fd)); }
  void restore(int fd, uint64_t floor) override { need(engine_.restore(fd, floor)); }

 private:
  static void need(const Status& status) {
    if (!status.ok()) throw sdk::Failure(status.code, status.message);
  }
  lotse_state_watch watch_{};
  lotse_state_current current_{};
  Engine engine_;
};

}  // namespace lotse::state
#endif
