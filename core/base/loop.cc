#include "core/base/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace lotse {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

struct TimerState {
  TimerState(asio::io_context& io, std::function<void()> f) : timer(io), fn(std::move(f)) {}
  asio::steady_timer timer;
  std::function<void()> fn;
  bool alive = true;
};

struct TimerHandle : Handle::Impl {
  explicit TimerHandle(std::shared_ptr<TimerState> s) : state(std::move(s)) {}
  ~TimerHandle() override {
    state->alive = false;
    state->timer.cancel();
  }
  std::shared_ptr<TimerState> state;
};

// Watches a duplicate: Asio closes what it holds, and one fd may be watched by several.
struct WatchState : std::enable_shared_from_this<WatchState> {
  WatchState(asio::io_context& io, std::function<void()> f) : descriptor(io), fn(std::move(f)) {}
  asio::posix::stream_descriptor descriptor;
  std::function<void()> fn;
  bool alive = true;

  void arm(asio::posix::stream_descriptor::wait_type what) {
    descriptor.async_wait(what, [self = shared_from_this(), what](const ErrorCode& error) {
      if (error || !self->alive) return;
      self->fn();
      if (self->alive) self->arm(what);
    });
  }
};

struct WatchHandle : Handle::Impl {
  explicit WatchHandle(std::shared_ptr<WatchState> s) : state(std::move(s)) {}
  ~WatchHandle() override {
    state->alive = false;
    ErrorCode ignored;
    state->descriptor.close(ignored);
  }
  std::shared_ptr<WatchState> state;
};

// Posted functions wait in a queue of our own: one wake-up of Asio serves all that have gathered.
class AsioLoop : public Loop {
 public:
  void post(std::function<void()> fn) override {
    {
      std::lock_guard lock(mutex_);
      posted_.push_back(std::move(fn));
      if (woken_) return;
      woken_ = true;
    }
    asio::post(io_, [this] { work_off(); });
  }

  Handle after(Duration delay, std::function<void()> fn) override {
    auto state = std::make_shared<TimerState>(io_, std::move(fn));
    state->timer.expires_after(std::max(delay, Duration::zero()));
    state->timer.async_wait([state](const ErrorCode& error) {
      if (!error && state->alive) state->fn();
    });
    return Handle(std::make_unique<TimerHandle>(std::move(state)));
  }

  Handle watch_fd(int fd, bool readable, bool writable, std::function<void()> fn) override {
    int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return Handle();
    auto state = std::make_shared<WatchState>(io_, std::move(fn));
    ErrorCode error;
    state->descriptor.assign(copy, error);
    if (error) {
      ::close(copy);
      return Handle();
    }
    if (readable) state->arm(asio::posix::stream_descriptor::wait_read);
    if (writable) state->arm(asio::posix::stream_descriptor::wait_write);
    return Handle(std::make_unique<WatchHandle>(std::move(state)));
  }

  const Clock& clock() const override { return Clock::system(); }
  bool on_loop() const override { return thread_.load() == std::this_thread::get_id(); }

  void run() {
    thread_ = std::this_thread::get_id();
    auto guard = asio::make_work_guard(io_);
    io_.run();
    io_.restart();
    while (work_off()) {
    }
    thread_ = std::thread::id();
  }
  void stop() {
    post([this] { io_.stop(); });
  }

 private:
  bool work_off() {
    std::vector<std::function<void()>> batch;
    {
      std::lock_guard lock(mutex_);
      batch.swap(posted_);
      woken_ = false;
    }
    for (auto& fn : batch) {
      fn();
      fn = nullptr;  // what it holds goes before the next one runs
    }
    return !batch.empty();
  }

  asio::io_context io_{1};
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool woken_ = false;
  std::atomic<std::thread::id> thread_{};
};

}  // namespace

struct LoopThread::Impl {
  AsioLoop loop;
  std::thread thread;
};

LoopThread::LoopThread(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([impl = impl_.get(), name = name.substr(0, 15)] {
    pthread_setname_np(pthread_self(), name.c_str());
    impl->loop.run();
  });
}

LoopThread::~LoopThread() {
  impl_->loop.stop();
  impl_->thread.join();
}

Loop& LoopThread::loop() {
  return impl_->loop;
}

struct MainLoop::Impl {
  AsioLoop loop;
};

MainLoop::MainLoop() : impl_(std::make_unique<Impl>()) {}
MainLoop::~MainLoop() = default;
Loop& MainLoop::loop() {
  return impl_->loop;
}
void MainLoop::run() {
  impl_->loop.run();
}
void MainLoop::stop() {
  impl_->loop.stop();
}

}  // namespace lotse
