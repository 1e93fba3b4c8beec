// Runs fn on the loop and waits for it: for starting and ending, from the main thread.
#pragma once
#include <condition_variable>
#include <mutex>

#include "core/base/loop.h"
#include "core/base/result.h"

namespace lotse::daemon {

template <class Fn>
auto on_loop(Loop& loop, Fn fn) {
  if (loop.on_loop()) return fn();
  using R = decltype(fn());
  std::mutex mutex;
  std::condition_variable ready;
  bool done = false;
  if constexpr (std::is_void_v<R>) {
    loop.post([&] {
      fn();
      std::lock_guard lock(mutex);
      done = true;
      ready.notify_one();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return done; });
  } else {
    std::optional<R> result;
    loop.post([&] {
      R r = fn();
      std::lock_guard lock(mutex);
      result.emplace(std::move(r));
      done = true;
      ready.notify_one();
    });
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return done; });
    return std::move(*result);
  }
}

// Waits for a callback: start(done) begins something on the loop, which calls done() once. false: the time is up.
inline bool wait_for(Loop& loop, Duration timeout, const std::function<void(std::function<void()>)>& start) {
  struct State {
    std::mutex mutex;
    std::condition_variable ready;
    bool done = false;
  };
  auto state = std::make_shared<State>();
  loop.post([start, state] {
    start([state] {
      std::lock_guard lock(state->mutex);
      state->done = true;
      state->ready.notify_one();
    });
  });
  std::unique_lock lock(state->mutex);
  return state->ready.wait_for(lock, timeout, [&] { return state->done; });
}

}  // namespace lotse::daemon
