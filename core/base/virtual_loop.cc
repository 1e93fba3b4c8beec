#include <poll.h>

#include <cassert>

#include "core/base/loop.h"

namespace lotse {
namespace {

class VirtualClock : public Clock {
 public:
  WallTime now() const override { return start + elapsed.load(); }
  SteadyTime steady() const override { return SteadyTime(std::chrono::hours(1)) + elapsed.load(); }
  WallTime start;
  std::atomic<Duration> elapsed{Duration(0)};  // a clock is read by any thread
};

struct Timer {
  std::function<void()> fn;
};
struct Watch {
  int fd;
  short events;
  std::function<void()> fn;
};
// Ordered by when they fall due, then by when they were made: the same program always runs in the same order.
using Timers = std::map<std::pair<Duration, uint64_t>, Timer>;
using Watches = std::map<uint64_t, std::shared_ptr<Watch>>;

struct State {
  VirtualClock clock;
  std::mutex mutex;
  std::deque<std::function<void()>> posted;  // guarded by mutex; all else belongs to the test's thread
  Timers timers;
  Watches watches;
  uint64_t next = 0;
};

struct TimerHandle : Handle::Impl {
  TimerHandle(std::weak_ptr<State> s, std::pair<Duration, uint64_t> k) : state(std::move(s)), key(k) {}
  ~TimerHandle() override {
    if (auto alive = state.lock()) alive->timers.erase(key);
  }
  std::weak_ptr<State> state;
  std::pair<Duration, uint64_t> key;
};

struct WatchHandle : Handle::Impl {
  WatchHandle(std::weak_ptr<State> s, uint64_t k) : state(std::move(s)), key(k) {}
  ~WatchHandle() override {
    if (auto alive = state.lock()) alive->watches.erase(key);
  }
  std::weak_ptr<State> state;
  uint64_t key;
};

bool run_posted(State* state) {
  bool any = false;
  while (true) {
    std::function<void()> fn;
    {
      std::lock_guard lock(state->mutex);
      if (state->posted.empty()) return any;
      fn = std::move(state->posted.front());
      state->posted.pop_front();
    }
    fn();
    any = true;
  }
}

bool run_ready(State* state) {
  std::vector<pollfd> polled;
  std::vector<uint64_t> ids;
  for (auto& [id, watch] : state->watches) {
    polled.push_back({watch->fd, watch->events, 0});
    ids.push_back(id);
  }
  if (polled.empty() || ::poll(polled.data(), polled.size(), 0) <= 0) return false;
  for (size_t i = 0; i < polled.size(); i++) {
    auto found = state->watches.find(ids[i]);
    if (polled[i].revents == 0 || found == state->watches.end()) continue;
    std::shared_ptr<Watch> watch = found->second;  // it may stop itself
    watch->fn();
  }
  return true;
}

}  // namespace

struct VirtualLoop::Impl {
  std::shared_ptr<State> state = std::make_shared<State>();
};

VirtualLoop::VirtualLoop(WallTime start) : impl_(std::make_unique<Impl>()) {
  impl_->state->clock.start = start;
}

VirtualLoop::~VirtualLoop() {
  // What is destroyed here may hold handles that look for the state: it must be whole while they do.
  Timers timers;
  Watches watches;
  std::deque<std::function<void()>> posted;
  timers.swap(impl_->state->timers);
  watches.swap(impl_->state->watches);
  std::lock_guard lock(impl_->state->mutex);
  posted.swap(impl_->state->posted);
}

void VirtualLoop::post(std::function<void()> fn) {
  std::lock_guard lock(impl_->state->mutex);
  impl_->state->posted.push_back(std::move(fn));
}

Handle VirtualLoop::after(Duration delay, std::function<void()> fn) {
  State& state = *impl_->state;
  std::pair key(state.clock.elapsed.load() + std::max(delay, Duration::zero()), state.next++);
  state.timers.emplace(key, Timer{std::move(fn)});
  return Handle(std::make_unique<TimerHandle>(impl_->state, key));
}

Handle VirtualLoop::watch_fd(int fd, bool readable, bool writable, std::function<void()> fn) {
  State& state = *impl_->state;
  uint64_t id = state.next++;
  short events = short((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
  state.watches.emplace(id, std::make_shared<Watch>(Watch{fd, events, std::move(fn)}));
  return Handle(std::make_unique<WatchHandle>(impl_->state, id));
}

const Clock& VirtualLoop::clock() const {
  return impl_->state->clock;
}

void VirtualLoop::run() {
  constexpr int kRoundsMax = 1'000'000;  // a watch whose fn never reads would go on for ever
  int rounds = 0;
  while (run_posted(impl_->state.get()) || run_ready(impl_->state.get())) {
    assert(++rounds < kRoundsMax);
    (void)rounds;
  }
}

void VirtualLoop::advance(Duration step) {
  State& state = *impl_->state;
  Duration target = state.clock.elapsed.load() + step;
  run();
  while (!state.timers.empty() && state.timers.begin()->first.first <= target) {
    auto due = state.timers.extract(state.timers.begin());
    state.clock.elapsed = due.key().first;
    due.mapped().fn();
    run();
  }
  state.clock.elapsed = target;
}

}  // namespace lotse
