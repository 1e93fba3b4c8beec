// SPDX-License-Identifier: Apache-2.0
//
// Call: a call that completes later, in the plugin's hands. Copies are the same call; the first answer counts, and a
// call that is dropped without one fails with LOTSE_INTERNAL, so that the host always hears exactly once. [any thread]
#pragma once
#include <time.h>

#include <atomic>
#include <memory>

#include "lotse/msgpack.hpp"

namespace lotse::sdk {

inline int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class Call {
 public:
  explicit Call(const lotse_call& call) : state_(std::make_shared<State>(call)) {}

  void done(std::string_view payload = {}) const { state_->end(LOTSE_OK, payload); }
  template <class M, std::enable_if_t<std::is_same_v<M, Msg>, int> = 0>  // not for what merely converts to a Msg
  void done(const M& answer) const {
    state_->end(LOTSE_OK, answer.encode());
  }
  void fail(int32_t code, std::string_view sentence) const { state_->end(code, sentence); }
  // REQUIRES: within a catch block.
  void fail_caught(const char* where) const {
    Caught c = caught(where);
    fail(c.code, c.sentence);
  }
  bool ended() const { return state_->ended.load(); }
  // The host has lost interest: end soon, with LOTSE_CANCELLED.
  bool cancelled() const { return state_->call.cancelled && state_->call.cancelled(state_->call.ctx) != 0; }
  int64_t deadline_ns() const { return state_->call.deadline_ns; }  // CLOCK_MONOTONIC; 0: none
  // Nanoseconds until the deadline, at least 0; `otherwise` when there is none.
  int64_t time_left_ns(int64_t otherwise = INT64_MAX) const {
    if (deadline_ns() == 0) return otherwise;
    int64_t left = deadline_ns() - monotonic_ns();
    return left > 0 ? left : 0;
  }

 private:
  struct State {
    explicit State(const lotse_call& c) : call(c) {}
    ~State() { end(LOTSE_INTERNAL, "the plugin gave no answer"); }
    void end(int32_t code, std::string_view payload) {
      if (!ended.exchange(true)) call.done(call.ctx, code, bytes(payload));
    }
    lotse_call call;
    std::atomic<bool> ended{false};
  };
  std::shared_ptr<State> state_;
};

}  // namespace lotse::sdk
