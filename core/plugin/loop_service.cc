#include "core/plugin/loop_service.h"

#include <sys/stat.h>

namespace lotse::plugin {

struct LoopService::Timer {
  enum { kArmed, kFired, kStopped };
  std::atomic<int> state{kArmed};
  Handle handle;  // on the loop only
};

struct LoopService::Watch {
  std::recursive_mutex mutex;  // held while fn runs, so that watch_stop can wait for it; recursive: fn may stop itself
  bool alive = true;
  Handle handle;  // on the loop only
};

struct LoopService::State {
  explicit State(Loop& l) : loop(l) {}
  Loop& loop;
  std::mutex mutex;
  uint64_t next = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Timer>> timers;
  std::unordered_map<uint64_t, std::shared_ptr<Watch>> watches;

  template <class T>
  std::shared_ptr<T> take(std::unordered_map<uint64_t, std::shared_ptr<T>>& map, uint64_t id) {
    std::lock_guard lock(mutex);
    auto found = map.find(id);
    if (found == map.end()) return nullptr;
    auto value = std::move(found->second);
    map.erase(found);
    return value;
  }
  template <class T>
  uint64_t add(std::unordered_map<uint64_t, std::shared_ptr<T>>& map, std::shared_ptr<T> value) {
    std::lock_guard lock(mutex);
    map.emplace(next, std::move(value));
    return next++;
  }
};

LoopService::LoopService(Loop& loop, WorkerPool& workers)
    : workers_(workers),
      state_(std::make_shared<State>(loop)),
      raw_{sizeof raw_, 0, this, post, timer_start, timer_stop, watch_start, watch_stop, work} {}

LoopService::~LoopService() = default;

void LoopService::post(void* self, void (*fn)(void*), void* ctx) {
  static_cast<LoopService*>(self)->state_->loop.post([fn, ctx] { fn(ctx); });
}

uint64_t LoopService::timer_start(void* self, int64_t delay_ns, void (*fn)(void*), void* ctx) {
  auto state = static_cast<LoopService*>(self)->state_;
  auto timer = std::make_shared<Timer>();
  uint64_t id = state->add(state->timers, timer);
  auto arm = [state, timer, id, delay_ns, fn, ctx] {
    if (timer->state != Timer::kArmed) return;
    timer->handle =
        state->loop.after(Duration(delay_ns), [state = std::weak_ptr(state), raw = timer.get(), id, fn, ctx] {
          int armed = Timer::kArmed;
          if (!raw->state.compare_exchange_strong(armed, Timer::kFired)) return;
          std::shared_ptr<Timer> keep;
          if (auto alive = state.lock()) keep = alive->take(alive->timers, id);
          fn(ctx);
        });
  };
  state->loop.post(std::move(arm));
  return id;
}

int32_t LoopService::timer_stop(void* self, uint64_t id) {
  auto state = static_cast<LoopService*>(self)->state_;
  auto timer = state->take(state->timers, id);
  int armed = Timer::kArmed;
  if (!timer || !timer->state.compare_exchange_strong(armed, Timer::kStopped)) return 0;
  // The handle belongs to the loop; it goes there with the timer.
  state->loop.post([timer] { timer->handle.reset(); });
  return 1;
}

uint64_t LoopService::watch_start(void* self, int32_t fd, uint32_t events, void (*fn)(void*, uint32_t), void* ctx) {
  auto state = static_cast<LoopService*>(self)->state_;
  struct stat facts;
  if (::fstat(fd, &facts) != 0 || S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode)) return 0;
  auto watch = std::make_shared<Watch>();
  uint64_t id = state->add(state->watches, watch);
  auto arm = [state, watch, fd, events, fn, ctx] {
    std::lock_guard lock(watch->mutex);
    if (!watch->alive) return;
    watch->handle = state->loop.watch_fd(
        fd, (events & 1) != 0, (events & 2) != 0, [weak = std::weak_ptr(watch), fd, events, fn, ctx] {
          auto alive = weak.lock();
          if (!alive) return;
          std::lock_guard running(alive->mutex);
          if (!alive->alive) return;
          pollfd ready{fd, short((events & 1 ? POLLIN : 0) | (events & 2 ? POLLOUT : 0)), 0};
          if (::poll(&ready, 1, 0) <= 0) return;
          uint32_t what = 0;
          if (ready.revents & (POLLIN | POLLHUP)) what |= 1;
          if (ready.revents & POLLOUT) what |= 2;
          if (ready.revents & (POLLERR | POLLHUP | POLLNVAL)) what |= 4;
          fn(ctx, what);
        });
  };
  state->loop.post(std::move(arm));
  return id;
}

void LoopService::watch_stop(void* self, uint64_t id) {
  auto state = static_cast<LoopService*>(self)->state_;
  auto watch = state->take(state->watches, id);
  if (!watch) return;
  {
    std::lock_guard lock(watch->mutex);
    watch->alive = false;
  }
  state->loop.post([watch] { watch->handle.reset(); });
}

int32_t LoopService::work(void* self, void (*fn)(void*), void* ctx) {
  return static_cast<LoopService*>(self)->workers_.submit([fn, ctx] { fn(ctx); }) ? LOTSE_OK : LOTSE_BUSY;
}

}  // namespace lotse::plugin
