// Coroutines on the reactor's thread: Co<T> is a step that others wait for, spawn() starts one that nobody waits for.
//
// A Co starts when it is awaited and is awaited once. All of it runs on the reactor's thread: what resumes a coroutine
// is always a callback of the reactor.
#pragma once
#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace lotse::container_engine {

template <class T>
class [[nodiscard]] Co {
 public:
  struct promise_type {
    std::optional<T> value;
    std::exception_ptr error;
    std::coroutine_handle<> waiter;

    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
        return h.promise().waiter ? h.promise().waiter : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    Co get_return_object() { return Co(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    template <class U>
    void return_value(U&& made) {
      value.emplace(std::forward<U>(made));
    }
    void unhandled_exception() { error = std::current_exception(); }
  };

  Co(Co&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Co& operator=(Co&&) = delete;
  ~Co() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) {
    handle_.promise().waiter = waiter;
    return handle_;
  }
  T await_resume() {
    if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
    return std::move(*handle_.promise().value);
  }

 private:
  explicit Co(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// Waits for something that answers by a callback: start(done) is called at once, done(value) resumes. done must not be
// called before start has returned.
template <class T>
class Callback {
 public:
  using Start = std::function<void(std::function<void(T)>)>;
  explicit Callback(Start start) : start_(std::move(start)) {}
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    Start start = std::move(start_);
    start([this, waiter](T value) {
      value_.emplace(std::move(value));
      waiter.resume();
    });
  }
  T await_resume() { return std::move(*value_); }

 private:
  Start start_;
  std::optional<T> value_;
};

struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }  // spawn() lets none out
  };
};

// Runs the step and hands its value, or the exception, to `done`.
template <class T>
Detached spawn(Co<T> step, std::function<void(std::optional<T>, std::exception_ptr)> done) {
  std::optional<T> value;
  std::exception_ptr error;
  try {
    value.emplace(co_await std::move(step));
  } catch (...) {
    error = std::current_exception();
  }
  done(std::move(value), error);
}

}  // namespace lotse::container_engine
