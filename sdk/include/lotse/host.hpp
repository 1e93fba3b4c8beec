// SPDX-License-Identifier: Apache-2.0
//
// Host: what the host offers, in C++: log, loop (timers, descriptors, posts, work), paths, faults, and for transports
// the API and TLS services. A small value: copy it; it is valid as long as the plugin is loaded. [any thread]
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lotse/abi/host.h"
#include "lotse/abi/transport.h"
#include "lotse/error.hpp"

namespace lotse::sdk {

struct LogField {
  std::string key, value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <class T>
  LogField(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
};

class Host {
 public:
  explicit Host(const lotse_host* host) : host_(host) {
    log_ = service<lotse_host_log>(LOTSE_HOST_LOG);
    loop_ = service<lotse_host_loop>(LOTSE_HOST_LOOP);
  }
  const lotse_host* raw() const { return host_; }
  const char* version() const { return host_->version; }

  // A service, or nullptr.
  template <class T>
  const T* service(const char* id) const {
    return static_cast<const T*>(host_->service(host_->self, id));
  }
  // A service, or Failure in a sentence.
  template <class T>
  const T* require(const char* id) const {
    if (const T* found = service<T>(id)) return found;
    throw Failure(LOTSE_UNSUPPORTED, std::string("this plugin needs the host service ") + id + ", which lotse " +
                                         host_->version + " does not offer here");
  }

  // `event` is a stable id such as "image.pulled"; the host puts the plugin's name before it.
  void log(lotse_level level, const char* event, std::string_view message,
           std::initializer_list<LogField> fields = {}) const {
    if (log_ == nullptr || level < log_->level(log_->self)) return;
    std::vector<lotse_pair> pairs;
    for (const LogField& field : fields) pairs.push_back({bytes(field.key), bytes(field.value)});
    log_->write(log_->self, level, event, bytes(message), pairs.data(), pairs.size());
  }
  using Fields = std::initializer_list<LogField>;
  void debug(const char* event, std::string_view message, Fields f = {}) const { log(LOTSE_DEBUG, event, message, f); }
  void info(const char* event, std::string_view message, Fields f = {}) const { log(LOTSE_INFO, event, message, f); }
  void warn(const char* event, std::string_view message, Fields f = {}) const { log(LOTSE_WARN, event, message, f); }
  void error(const char* event, std::string_view message, Fields f = {}) const { log(LOTSE_FAIL, event, message, f); }

  // Runs fn on the host's loop, soon. REQUIRES (this and all that follows up to work): LOTSE_HOST_LOOP is offered.
  inline void post(std::function<void()> fn) const;
  // Runs fn on a worker thread, where it may block. False: the queue is full, fn is gone.
  inline bool work(std::function<void()> fn) const;

  // Runs once unless it is stopped before; after stop() or the destructor fn runs no more (from another thread they
  // wait for an fn that is running).
  class Timer {
   public:
    Timer() = default;
    Timer(Timer&& o) noexcept = default;
    Timer& operator=(Timer&& o) noexcept {
      stop();
      state_ = std::move(o.state_);
      return *this;
    }
    ~Timer() { stop(); }
    void stop() {
      auto state = std::move(state_);
      if (!state) return;
      std::lock_guard<std::recursive_mutex> lock(state->mutex);
      state->alive = false;
      if (state->loop->timer_stop(state->loop->self, state->id) != 0) delete state->ctx;
    }
    explicit operator bool() const { return state_ != nullptr; }

   private:
    friend class Host;
    struct State {
      std::recursive_mutex mutex;
      bool alive = true;
      uint64_t id = 0;
      const lotse_host_loop* loop = nullptr;
      std::shared_ptr<State>* ctx = nullptr;
      std::function<void()> fn;
    };
    std::shared_ptr<State> state_;
  };
  [[nodiscard]] Timer after(std::chrono::nanoseconds delay, std::function<void()> fn) const {
    auto state = std::make_shared<Timer::State>();
    state->loop = loop_;
    state->ctx = new std::shared_ptr<Timer::State>(state);
    state->fn = [host = *this, fn = std::move(fn)] { host.protect(fn); };
    auto fire = [](void* ctx) {
      auto* held = static_cast<std::shared_ptr<Timer::State>*>(ctx);
      std::shared_ptr<Timer::State> state = std::move(*held);
      delete held;
      std::lock_guard<std::recursive_mutex> lock(state->mutex);
      if (state->alive) state->fn();
    };
    std::lock_guard<std::recursive_mutex> lock(state->mutex);  // fire waits until the id is known
    state->id = loop_->timer_start(loop_->self, delay.count(), fire, state->ctx);
    Timer timer;
    timer.state_ = std::move(state);
    return timer;
  }

  // fn(events) as long as it lives: 1 readable, 2 writable, 4 error. Destroy it before the fd is closed.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& o) noexcept = default;
    Watch& operator=(Watch&& o) noexcept {
      stop();
      state_ = std::move(o.state_);
      return *this;
    }
    ~Watch() { stop(); }
    inline void stop();
    explicit operator bool() const { return state_ != nullptr; }

   private:
    friend class Host;
    struct State;
    std::shared_ptr<State> state_;
  };
  // Empty when the descriptor cannot be watched.
  [[nodiscard]] inline Watch watch(int fd, uint32_t events, std::function<void(uint32_t)> fn) const;

  // Where this plugin may keep things. Both directories exist, 0700.
  std::string data_dir() const { return require<lotse_host_paths>(LOTSE_HOST_PATHS)->data_dir; }
  std::string run_dir() const { return require<lotse_host_paths>(LOTSE_HOST_PATHS)->run_dir; }
  std::string node_name() const { return require<lotse_host_paths>(LOTSE_HOST_PATHS)->node_name; }
  std::string daemon_dir() const { return require<lotse_host_paths>(LOTSE_HOST_PATHS)->daemon_dir; }

  // What an operator must see: a node condition and an event, until it is cleared.
  void raise_fault(const char* id, const char* reason, std::string_view sentence) const {
    if (auto* fault = service<lotse_host_fault>(LOTSE_HOST_FAULT))
      fault->raise(fault->self, id, reason, bytes(sentence));
  }
  void clear_fault(const char* id) const {
    if (auto* fault = service<lotse_host_fault>(LOTSE_HOST_FAULT)) fault->clear(fault->self, id);
  }

  // For transports.
  const lotse_host_api* api() const { return require<lotse_host_api>(LOTSE_HOST_API); }
  const lotse_host_tls* tls() const { return require<lotse_host_tls>(LOTSE_HOST_TLS); }

  // Runs fn; what it throws becomes a line in the log.
  template <class Fn>
  void protect(const Fn& fn, const char* where = "a callback") const noexcept {
    try {
      try {
        fn();
      } catch (...) {
        error("exception", caught(where).sentence);
      }
    } catch (...) {  // no memory for the sentence either
    }
  }

 private:
  struct Closure;
  static void run_once(void* ctx);
  const lotse_host* host_;
  const lotse_host_log* log_;
  const lotse_host_loop* loop_;
};

struct Host::Closure {
  Host host;
  std::function<void()> fn;
};

inline void Host::post(std::function<void()> fn) const {
  loop_->post(loop_->self, run_once, new Closure{*this, std::move(fn)});
}

inline bool Host::work(std::function<void()> fn) const {
  auto* closure = new Closure{*this, std::move(fn)};
  if (loop_->work(loop_->self, run_once, closure) == LOTSE_OK) return true;
  delete closure;
  return false;
}

struct Host::Watch::State {
  Host host;
  std::function<void(uint32_t)> fn;
  uint64_t id = 0;
};

inline void Host::Watch::stop() {
  auto state = std::move(state_);
  if (!state) return;
  state->host.loop_->watch_stop(state->host.loop_->self, state->id);
  // Called from within its own fn the closure must outlive this call: the loop lets go of it afterwards.
  Host host = state->host;
  host.post([keep = std::move(state)] {});
}

inline Host::Watch Host::watch(int fd, uint32_t events, std::function<void(uint32_t)> fn) const {
  auto state = std::make_shared<Watch::State>(Watch::State{*this, std::move(fn), 0});
  auto fire = [](void* ctx, uint32_t ready) {
    auto* self = static_cast<Watch::State*>(ctx);
    self->host.protect([&] { self->fn(ready); });
  };
  Watch made;
  state->id = loop_->watch_start(loop_->self, fd, events, fire, state.get());
  if (state->id != 0) made.state_ = std::move(state);
  return made;
}

inline void Host::run_once(void* ctx) {
  std::unique_ptr<Closure> closure(static_cast<Closure*>(ctx));
  closure->host.protect(closure->fn);
}

// The certificates that a transport serves with: fn is called at once, and again after every change, until this goes.
class TlsSubscription {
 public:
  TlsSubscription(const Host& host, std::function<void(const lotse_tls_material&)> fn)
      : host_(host), tls_(host.tls()), fn_(std::move(fn)) {
    id_ = tls_->subscribe(tls_->self, changed, this);
  }
  TlsSubscription(const TlsSubscription&) = delete;
  TlsSubscription& operator=(const TlsSubscription&) = delete;
  ~TlsSubscription() { tls_->unsubscribe(tls_->self, id_); }

 private:
  static void changed(void* ctx, const lotse_tls_material* material) {
    auto* self = static_cast<TlsSubscription*>(ctx);
    self->host_.protect([&] { self->fn_(*material); }, "a change of certificates");
  }
  Host host_;
  const lotse_host_tls* tls_;
  std::function<void(const lotse_tls_material&)> fn_;
  uint64_t id_ = 0;
};

}  // namespace lotse::sdk
