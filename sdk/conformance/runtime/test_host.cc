#include "sdk/conformance/runtime/test_host.h"

#include <sys/stat.h>

#include "lotse/call.hpp"

namespace lotse::conformance {

TestHost::TestHost(const std::string& directory, bool verbose)
    : data_dir_(directory + "/data"), run_dir_(directory + "/run"), daemon_dir_(directory), verbose_(verbose) {
  for (auto& dir : {directory, data_dir_, run_dir_}) mkdir(dir.c_str(), 0700);
  log_ = {
      sizeof log_, 0, this,
      [](void* self, int32_t level, const char* event, lotse_bytes message, const lotse_pair* fields, size_t count) {
        if (!static_cast<TestHost*>(self)->verbose_ && level < LOTSE_WARN) return;
        std::string line = std::string("  log ") + event + ": " + std::string(sdk::view(message));
        for (size_t i = 0; i < count; i++) {
          line += " " + std::string(sdk::view(fields[i].key)) + "=" + std::string(sdk::view(fields[i].value));
        }
        fprintf(stderr, "%s\n", line.c_str());
      },
      [](void* self) -> int32_t { return static_cast<TestHost*>(self)->verbose_ ? LOTSE_DEBUG : LOTSE_WARN; }};
  loop_ = {sizeof loop_,
           0,
           this,
           [](void* self, void (*fn)(void*), void* ctx) {
             static_cast<TestHost*>(self)->post_at(0, 0, [fn, ctx] { fn(ctx); });
           },
           [](void* self, int64_t delay, void (*fn)(void*), void* ctx) -> uint64_t {
             auto* host = static_cast<TestHost*>(self);
             uint64_t id;
             {
               std::lock_guard lock(host->mutex_);
               id = host->next_++;
             }
             host->post_at(sdk::monotonic_ns() + delay, id, [fn, ctx] { fn(ctx); });
             return id;
           },
           [](void* self, uint64_t id) -> int32_t {
             auto* host = static_cast<TestHost*>(self);
             std::lock_guard lock(host->mutex_);
             for (auto it = host->timers_.begin(); it != host->timers_.end(); ++it) {
               if (it->first.second != id) continue;
               host->timers_.erase(it);
               return 1;
             }
             return 0;
           },
           [](void*, int32_t, uint32_t, void (*)(void*, uint32_t), void*) -> uint64_t { return 0; },
           [](void*, uint64_t) {},
           [](void* self, void (*fn)(void*), void* ctx) -> int32_t {
             static_cast<TestHost*>(self)->post_at(0, 0, [fn, ctx] { fn(ctx); });
             return LOTSE_OK;
           }};
  paths_ = {sizeof paths_, 0, this, data_dir_.c_str(), run_dir_.c_str(), "test-node", daemon_dir_.c_str()};
  fault_ = {sizeof fault_, 0, this,
            [](void* self, const char* id, const char* reason, lotse_bytes) {
              auto* host = static_cast<TestHost*>(self);
              std::lock_guard lock(host->mutex_);
              host->faults_[id] = reason;
            },
            [](void* self, const char* id) {
              auto* host = static_cast<TestHost*>(self);
              std::lock_guard lock(host->mutex_);
              host->faults_.erase(id);
            }};
  host_ = {sizeof host_, 0, this, "0.1.0", [](void* self, const char* id) -> const void* {
             auto* host = static_cast<TestHost*>(self);
             std::string_view name = id;
             if (name == LOTSE_HOST_LOG) return &host->log_;
             if (name == LOTSE_HOST_LOOP) return &host->loop_;
             if (name == LOTSE_HOST_PATHS) return &host->paths_;
             if (name == LOTSE_HOST_FAULT) return &host->fault_;
             return nullptr;
           }};
  thread_ = std::thread([this] { run(); });
}

TestHost::~TestHost() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

std::vector<std::string> TestHost::faults() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (auto& [id, reason] : faults_) out.push_back(reason);
  return out;
}

void TestHost::post_at(int64_t due_ns, uint64_t id, std::function<void()> fn) {
  std::lock_guard lock(mutex_);
  if (id == 0) id = next_++;
  timers_.emplace(std::pair{due_ns, id}, std::move(fn));
  changed_.notify_all();
}

void TestHost::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !timers_.empty()) {
    if (timers_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto first = timers_.begin();
    int64_t wait = first->first.first - sdk::monotonic_ns();
    if (wait > 0 && stopping_) return;
    if (wait > 0) {
      changed_.wait_for(lock, std::chrono::nanoseconds(wait));
      continue;
    }
    auto fn = std::move(first->second);
    timers_.erase(first);
    lock.unlock();
    fn();
    lock.lock();
  }
}

}  // namespace lotse::conformance
