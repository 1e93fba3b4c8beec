#include "core/agent/pod_context.h"

namespace lotse::agent {
namespace {

// Keeps trying while the queue is full: its own timer is held by itself.
struct Waiting : std::enable_shared_from_this<Waiting> {
  Loop& loop;
  WorkerPool& pool;
  std::function<void()> work, then;
  Handle timer;
  Waiting(Loop& l, WorkerPool& p, std::function<void()> w, std::function<void()> t)
      : loop(l), pool(p), work(std::move(w)), then(std::move(t)) {}
  void submit() {
    // Handed on, not shared: what work and then hold goes on the loop.
    bool taken = pool.submit([self = shared_from_this()]() mutable {
      self->work();
      Loop& loop = self->loop;
      loop.post([self = std::move(self)] { self->then(); });
    });
    if (taken) return;
    timer = loop.after(std::chrono::milliseconds(20), [self = shared_from_this()] {
      auto keep = std::move(self->timer);
      self->submit();
    });
  }
};

}  // namespace

void on_pool(Loop& loop, WorkerPool& pool, std::function<void()> work, std::function<void()> then) {
  std::make_shared<Waiting>(loop, pool, std::move(work), std::move(then))->submit();
}

void on_pool(PodContext& context, std::function<void()> work, std::function<void()> then) {
  on_pool(context.loop, context.pool, std::move(work), std::move(then));
}

}  // namespace lotse::agent
