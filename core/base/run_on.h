// Running something on a loop, or beginning it there, from another thread that waits for it: for starting and ending.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>

#include "core/base/await.h"
#include "core/base/loop.h"

namespace lotse {

// Runs fn on the loop and waits for what it returns (await.h); at once if this is the loop.
template <class Fn>
auto run_on(Loop& loop, Fn fn) {
  using R = decltype(fn());
  if constexpr (std::is_void_v<R>) {
    run_on(loop, [&] {
      fn();
      return true;
    });
  } else {
    if (loop.on_loop()) return fn();
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<R> result;
    loop.post([&] {
      R r = fn();
      std::lock_guard lock(mutex);
      result.emplace(std::move(r));
      ready.notify_one();
    });
    std::unique_lock lock(mutex);
    await(ready, lock, "a loop to run what was posted", [&] { return result.has_value(); });
    return R(std::move(*result));
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

}  // namespace lotse
