#include "core/agent/runtime_plugin.h"

#include <deque>
#include <mutex>

#include "core/agent/deferred_stream.h"
#include "core/base/gate.h"

namespace lotse::agent {
namespace {

constexpr size_t kQueueMax = 20000;

lotse_message_fn lotse_runtime::*slot(Call call) {
  static constexpr lotse_message_fn lotse_runtime::*kSlots[] = {
      &lotse_runtime::info,             &lotse_runtime::sandbox_run,      &lotse_runtime::sandbox_stop,
      &lotse_runtime::sandbox_remove,   &lotse_runtime::sandbox_status,   &lotse_runtime::sandbox_list,
      &lotse_runtime::container_create, &lotse_runtime::container_start,  &lotse_runtime::container_stop,
      &lotse_runtime::container_remove, &lotse_runtime::container_status, &lotse_runtime::container_list,
      &lotse_runtime::container_update, &lotse_runtime::container_stats,  &lotse_runtime::container_reopen_log,
      &lotse_runtime::exec_sync,        &lotse_runtime::image_import,     &lotse_runtime::image_status,
      &lotse_runtime::image_list,       &lotse_runtime::image_remove,     &lotse_runtime::image_fs};
  return kSlots[static_cast<size_t>(call)];
}

lotse_message_stream_fn lotse_runtime::*slot(Open kind) {
  switch (kind) {
    case Open::kExec: return &lotse_runtime::exec;
    case Open::kAttach: return &lotse_runtime::attach;
    case Open::kPortForward: return &lotse_runtime::port_forward;
    case Open::kEvents: return &lotse_runtime::events;
    case Open::kImagePull: break;
  }
  return &lotse_runtime::image_pull;
}

}  // namespace

struct PluginRuntime::State : std::enable_shared_from_this<State> {
  const plugin::RuntimePlugin& plugin;
  Loop& loop;
  WorkerPool& pool;
  std::mutex mutex;
  std::deque<std::function<void()>> queue;
  bool coming = false;   // somebody of the pool is on his way to the queue
  bool waiting = false;  // a timer is set to try again
  Handle timer;          // [loop]
  Gate gate;             // to the plugin: jobs on the pool may come later than its end
  plugin::Cancel cancel;

  State(const plugin::RuntimePlugin& p, Loop& l, WorkerPool& w) : plugin(p), loop(l), pool(w) {}

  bool run(std::function<void()> work) {
    bool call = false;
    {
      std::lock_guard lock(mutex);
      if (queue.size() >= kQueueMax) return false;
      queue.push_back(std::move(work));
      call = !std::exchange(coming, true);
    }
    if (call) kick();
    return true;
  }

  // While there is anything in the queue, one is on his way to it: a call that blocks holds up no other, and many short ones
  // wake one thread.
  // REQUIRES: coming was set by the caller.
  void kick() {
    if (pool.submit([self = shared_from_this()] { self->work_off(); })) return;
    std::lock_guard lock(mutex);
    if (std::exchange(waiting, true)) return;
    loop.post([self = shared_from_this()] {
      self->timer = self->loop.after(std::chrono::milliseconds(20), [self] {
        auto keep = std::move(self->timer);
        bool more;
        {
          std::lock_guard again(self->mutex);
          self->waiting = false;
          more = !self->queue.empty();
          if (!more) self->coming = false;
        }
        if (more) self->kick();
      });
    });
  }

  void work_off() {
    for (bool first = true;; first = false) {
      std::function<void()> work;
      bool call = false;
      {
        std::lock_guard lock(mutex);
        if (first) coming = false;
        if (queue.empty()) return;
        work = std::move(queue.front());
        queue.pop_front();
        call = !queue.empty() && !std::exchange(coming, true);
      }
      if (call) kick();
      if (const auto inside = gate.enter()) work();
    }
  }

  // Calls under way are asked to end and waited for; the rest is dropped.
  void close() {
    std::deque<std::function<void()>> dropped;
    {
      std::lock_guard lock(mutex);
      dropped.swap(queue);
    }
    cancel.cancel();
    gate.close();
  }
};

PluginRuntime::PluginRuntime(const plugin::RuntimePlugin& plugin, Loop& loop, WorkerPool& pool)
    : state_(std::make_shared<State>(plugin, loop, pool)) {}
PluginRuntime::~PluginRuntime() { state_->close(); }

void PluginRuntime::call(Call call, MsgValue request, Duration timeout, Answer answer) {
  auto shared = std::make_shared<Answer>(std::move(answer));
  bool taken = state_->run([state = state_, call, request = request.encode(), timeout, shared] {
    plugin::CallOptions options;
    options.timeout = timeout;
    options.cancel = state->cancel;
    state->plugin.call(slot(call), request, options, [shared](Status status, Bytes payload) {
      if (!status.ok()) return (*shared)(status);
      (*shared)(payload.empty() ? Result<MsgValue>(MsgValue::map()) : MsgValue::parse(payload));
    });
  });
  if (!taken)
    state_->loop.post([shared] {
      (*shared)(Status(Reason::kTooManyRequests, "too many calls to the container runtime are waiting"));
    });
}

Result<StreamPtr> PluginRuntime::open(Open kind, MsgValue request, SinkPtr sink) {
  auto deferred = DeferredStream::make(sink);
  bool taken = state_->run([state = state_, kind, request = request.encode(), sink, core = deferred->core()] {
    auto opened = state->plugin.open(slot(kind), request, sink);
    if (opened.ok()) core->attach(std::move(*opened));
    else core->fail(opened.status());
  });
  if (!taken) return Status(Reason::kTooManyRequests, "too many calls to the container runtime are waiting");
  return StreamPtr(std::move(deferred));
}

}  // namespace lotse::agent
