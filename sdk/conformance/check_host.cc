#include "sdk/conformance/check_host.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace lotse::check {
namespace {
constexpr size_t kWorkMax = 1024;
constexpr int kWorkers = 4;

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
CheckHost& of(void* self) {
  return *static_cast<CheckHost*>(self);
}
}  // namespace

CheckHost::CheckHost(std::string directory, bool verbose)
    : directory_(std::move(directory)),
      data_dir_(directory_ + "/data"),
      run_dir_(directory_ + "/run"),
      verbose_(verbose) {
  mkdir(data_dir_.c_str(), 0700);
  mkdir(run_dir_.c_str(), 0700);
  host_ = {sizeof host_, 0, this, "0.1.0", service};
  log_ = {
      sizeof log_, 0, this,
      [](void* self, int32_t level, const char* event, lotse_bytes message, const lotse_pair* fields, size_t count) {
        if (!of(self).verbose_) return;
        std::string line = "# log " + std::to_string(level) + " " + event + ": ";
        line.append(static_cast<const char*>(message.data), message.size);
        for (size_t i = 0; i < count; ++i) {
          line += " ";
          line.append(static_cast<const char*>(fields[i].key.data), fields[i].key.size) += "=";
          line.append(static_cast<const char*>(fields[i].value.data), fields[i].value.size);
        }
        fprintf(stderr, "%s\n", line.c_str());
      },
      [](void*) -> int32_t { return LOTSE_DEBUG; }};
  paths_ = {sizeof paths_, 0, this, data_dir_.c_str(), run_dir_.c_str(), "check", directory_.c_str()};
  fault_ = {sizeof fault_, 0, this,
            [](void* self, const char* id, const char* reason, lotse_bytes) {
              std::lock_guard lock(of(self).mutex_);
              of(self).faults_[id] = reason;
            },
            [](void* self, const char* id) {
              std::lock_guard lock(of(self).mutex_);
              of(self).faults_.erase(id);
            }};
  loop_.size = sizeof loop_;
  loop_.self = this;
  loop_.post = [](void* self, void (*fn)(void*), void* ctx) {
    std::lock_guard lock(of(self).mutex_);
    of(self).posted_.emplace_back(fn, ctx);
    of(self).wake();
  };
  loop_.timer_start = [](void* self, int64_t delay_ns, void (*fn)(void*), void* ctx) -> uint64_t {
    std::lock_guard lock(of(self).mutex_);
    uint64_t id = ++of(self).last_id_;
    of(self).timers_.insert({now_ns() + delay_ns, {id, fn, ctx}});
    of(self).wake();
    return id;
  };
  loop_.timer_stop = [](void* self, uint64_t id) -> int32_t {
    std::lock_guard lock(of(self).mutex_);
    return std::erase_if(of(self).timers_, [id](const auto& timer) { return timer.second.id == id; }) > 0;
  };
  loop_.watch_start = [](void* self, int32_t fd, uint32_t events, void (*fn)(void*, uint32_t), void* ctx) -> uint64_t {
    std::lock_guard lock(of(self).mutex_);
    uint64_t id = ++of(self).last_id_;
    of(self).watches_[id] = {fd, events, fn, ctx};
    of(self).wake();
    return id;
  };
  loop_.watch_stop = [](void* self, uint64_t id) {
    std::lock_guard running(of(self).watch_mutex_);
    std::lock_guard lock(of(self).mutex_);
    of(self).watches_.erase(id);
    of(self).wake();
  };
  loop_.work = [](void* self, void (*fn)(void*), void* ctx) -> int32_t {
    std::lock_guard lock(of(self).mutex_);
    if (of(self).work_.size() >= kWorkMax) return LOTSE_BUSY;
    of(self).work_.emplace_back(fn, ctx);
    of(self).work_ready_.notify_one();
    return LOTSE_OK;
  };
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  loop_thread_ = std::thread([this] { loop(); });
  for (int i = 0; i < kWorkers; ++i) workers_.emplace_back([this] { worker(); });
}

CheckHost::~CheckHost() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake();
    work_ready_.notify_all();
  }
  loop_thread_.join();
  for (auto& thread : workers_) thread.join();
  close(wake_fd_);
}

const void* CheckHost::service(void* self, const char* id) {
  if (strcmp(id, LOTSE_HOST_LOG) == 0) return &of(self).log_;
  if (strcmp(id, LOTSE_HOST_LOOP) == 0) return &of(self).loop_;
  if (strcmp(id, LOTSE_HOST_PATHS) == 0) return &of(self).paths_;
  if (strcmp(id, LOTSE_HOST_FAULT) == 0) return &of(self).fault_;
  return nullptr;
}

std::map<std::string, std::string> CheckHost::faults() {
  std::lock_guard lock(mutex_);
  return faults_;
}

void CheckHost::wake() {
  uint64_t one = 1;
  (void)!write(wake_fd_, &one, sizeof one);
}

int CheckHost::run_due_timers() {
  std::unique_lock lock(mutex_);
  while (!timers_.empty() && timers_.begin()->first <= now_ns()) {
    Timer timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    lock.unlock();
    timer.fn(timer.ctx);
    lock.lock();
  }
  return timers_.empty() ? -1 : static_cast<int>((timers_.begin()->first - now_ns()) / 1'000'000 + 1);
}

void CheckHost::run_watches(int timeout_ms) {
  std::vector<pollfd> fds{{wake_fd_, POLLIN, 0}};
  std::vector<uint64_t> ids{0};
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, watch] : watches_) {
      short events = static_cast<short>((watch.events & 1 ? POLLIN : 0) | (watch.events & 2 ? POLLOUT : 0));
      fds.push_back({watch.fd, events, 0});
      ids.push_back(id);
    }
    if (!posted_.empty() || stopping_) timeout_ms = 0;
  }
  if (poll(fds.data(), fds.size(), timeout_ms) <= 0) return;
  uint64_t count;
  (void)!read(wake_fd_, &count, sizeof count);
  for (size_t i = 1; i < fds.size(); ++i) {
    if (fds[i].revents == 0) continue;
    uint32_t events = (fds[i].revents & POLLIN ? 1u : 0u) | (fds[i].revents & POLLOUT ? 2u : 0u) |
                      (fds[i].revents & (POLLERR | POLLHUP | POLLNVAL) ? 4u : 0u);
    std::lock_guard running(watch_mutex_);
    std::unique_lock lock(mutex_);
    auto found = watches_.find(ids[i]);
    if (found == watches_.end()) continue;
    Watch watch = found->second;
    lock.unlock();
    watch.fn(watch.ctx, events);
  }
}

void CheckHost::loop() {
  for (;;) {
    int timeout_ms = run_due_timers();
    run_watches(timeout_ms);
    std::deque<std::pair<void (*)(void*), void*>> posted;
    {
      std::lock_guard lock(mutex_);
      posted.swap(posted_);
      if (stopping_ && posted.empty()) return;
    }
    for (auto& [fn, ctx] : posted) fn(ctx);
  }
}

void CheckHost::worker() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_ready_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    if (work_.empty()) return;
    auto [fn, ctx] = work_.front();
    work_.pop_front();
    lock.unlock();
    fn(ctx);
    lock.lock();
  }
}

}  // namespace lotse::check
