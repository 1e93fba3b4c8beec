#include "plugins/container_engine/reactor.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <condition_variable>

namespace lotse::container_engine {
namespace {

int64_t read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

constexpr uint64_t kWakeId = 0;

}  // namespace

int64_t Reactor::now_ns() {
  return read_clock(CLOCK_MONOTONIC);
}
int64_t Reactor::unix_now_ns() {
  return read_clock(CLOCK_REALTIME);
}

Reactor::Reactor(const char* name)
    : name_(name), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeId;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
}

Reactor::~Reactor() {
  stop();
  close(wake_);
  close(epoll_);
}

void Reactor::start() {
  // The host handles signals on threads of its own.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  thread_ = std::thread([this] { loop(); });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  pthread_setname_np(thread_.native_handle(), name_.c_str());
}

void Reactor::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  post([] {});
  thread_.join();
  run_posted();
}

void Reactor::post(Function fn) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(fn));
  }
  if (first) {
    uint64_t one = 1;
    [[maybe_unused]] auto n = write(wake_, &one, sizeof one);
  }
}

void Reactor::run(const Function& fn) {
  if (!thread_.joinable() || on_loop()) return fn();
  std::mutex mutex;
  std::condition_variable finished;
  bool done = false;
  post([&] {
    fn();
    std::lock_guard lock(mutex);
    done = true;
    finished.notify_one();
  });
  std::unique_lock lock(mutex);
  finished.wait(lock, [&] { return done; });
}

uint64_t Reactor::watch(int fd, uint32_t events, Ready ready) {
  uint64_t id = next_id_++;
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = id;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return 0;
  watches_.emplace(id, std::make_shared<Watch>(Watch{fd, std::move(ready)}));
  return id;
}

void Reactor::unwatch(uint64_t id) {
  auto it = watches_.find(id);
  if (it == watches_.end()) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, it->second->fd, nullptr);
  watches_.erase(it);
}

uint64_t Reactor::timer(int64_t delay_ns, Function fn) {
  return timer_at(now_ns() + delay_ns, std::move(fn));
}

uint64_t Reactor::timer_at(int64_t monotonic_ns, Function fn) {
  uint64_t id = next_id_++;
  timers_.emplace(std::pair{monotonic_ns, id}, std::move(fn));
  timer_times_.emplace(id, monotonic_ns);
  return id;
}

void Reactor::timer_stop(uint64_t id) {
  auto it = timer_times_.find(id);
  if (it == timer_times_.end()) return;
  timers_.erase({it->second, id});
  timer_times_.erase(it);
}

int Reactor::run_timers() {
  while (!timers_.empty()) {
    auto first = timers_.begin();
    int64_t wait = first->first.first - now_ns();
    if (wait > 0) return static_cast<int>(std::min<int64_t>((wait + 999'999) / 1'000'000, 3'600'000));
    Function fn = std::move(first->second);
    timer_times_.erase(first->first.second);
    timers_.erase(first);
    fn();
  }
  return -1;
}

void Reactor::run_posted() {
  std::vector<Function> taken;
  {
    std::lock_guard lock(mutex_);
    taken.swap(posted_);
  }
  for (auto& fn : taken) fn();
}

void Reactor::loop() {
  std::array<epoll_event, 64> events;
  while (!stopping_) {
    run_posted();
    int timeout = run_timers();
    int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
    for (int i = 0; i < n; i++) {
      if (events[i].data.u64 == kWakeId) {
        uint64_t count;
        [[maybe_unused]] auto got = read(wake_, &count, sizeof count);
        continue;
      }
      auto it = watches_.find(events[i].data.u64);
      if (it == watches_.end()) continue;
      std::shared_ptr<Watch> watch = it->second;  // the callback may unwatch itself
      watch->ready(events[i].events);
    }
  }
}

}  // namespace lotse::container_engine
