#include "core/control/runner.h"

#include <algorithm>
#include <map>

#include "core/base/log.h"
#include "core/control/action.h"
#include "core/control/runner_state.h"

namespace lotse::control {
namespace {
bool namespace_ends(const Status& s) {
  return std::any_of(s.causes.begin(), s.causes.end(),
                     [](const Cause& c) { return c.reason == "NamespaceTerminating"; });
}
}  // namespace

Runner::Runner(store::Store& store, api::Handler& handler, Loop& loop,
               std::vector<std::unique_ptr<Controller>> controllers)
    : state_(std::make_shared<State>(store, handler, loop)) {
  for (auto& c : controllers) state_->workers.push_back(std::make_unique<Worker>(std::move(c)));
}

Runner::~Runner() {
  stop();
}

Status Runner::start() {
  return state_->start();
}

void Runner::stop() {
  state_->stopped = true;
  state_->cursor.reset();
  state_->timer.reset();
  state_->retry.reset();
}

bool Runner::idle() const {
  return std::all_of(state_->workers.begin(), state_->workers.end(), [](const auto& w) { return w->queue.idle(); });
}

size_t Runner::queued() const {
  size_t n = 0;
  for (const auto& w : state_->workers) n += w->queue.size();
  return n;
}

Status Runner::State::start() {
  std::weak_ptr<State> self = weak_from_this();
  store::WatchQuery query;
  query.from = store.revision();
  // From here on nothing is missed; what is listed below may be told of once more, which does no harm.
  auto opened = store.watch(query, [self, &loop = loop] {
    loop.post([self] {
      if (auto s = self.lock()) s->follow();
    });
  });
  if (!opened.ok()) return opened.status();
  cursor = *std::move(opened);
  for (auto& w : workers) {
    for (const std::string& key : w->controller->initial_keys()) w->queue.add(key);
    for (const store::ResourceName& resource : w->controller->resources()) w->follows.insert(resource);
  }
  std::set<store::ResourceName> all;
  for (auto& w : workers) all.insert(w->follows.begin(), w->follows.end());
  for (const store::ResourceName& resource : all)
    for (const ObjectPtr& object : view.list(resource, "", LabelSelector::everything()))
      tell({store::Event::Type::kAdded,
            object->revision(),
            {resource, object->header().ns, object->header().name},
            object,
            nullptr});
  follow();
  return {};
}

void Runner::State::start_again() {
  Status s = start();
  if (s.ok()) return;
  log::error("control.stuck", "the store cannot be followed; tried again in a second", {{"why", s.message}});
  retry = loop.after(std::chrono::seconds(1), [self = weak_from_this()] {
    if (auto state = self.lock(); state && !state->stopped) state->start_again();
  });
}

void Runner::State::tell(const store::Event& event) {
  for (auto& w : workers) {
    if (!w->follows.contains(event.key.resource)) continue;
    for (const std::string& key : w->controller->keys(event, view)) w->queue.add(key);
  }
}

// Works off what the ring has, a bounded piece at a time, so that answers get their turn in between.
void Runner::State::follow() {
  if (stopped || !cursor) return;
  auto events = cursor->next(256);
  if (!events.ok()) {
    log::warn("control.relist", "the ring has gone past the controllers; everything is looked at again",
              {{"why", events.status().message}});
    cursor.reset();
    return start_again();
  }
  for (const store::Event& e : *events) tell(e);
  if (!events->empty())
    loop.post([self = weak_from_this()] {
      if (auto s = self.lock()) s->follow();
    });
  work();
}

void Runner::State::work() {
  if (stopped) return;
  for (auto& w : workers)
    while (w->queue.in_flight() < kKeysInFlightMax) {
      auto key = w->queue.take(loop.clock().steady());
      if (!key) break;
      reconcile(*w, *key);
    }
  wait();
}

// Sleeps until the first delayed key is due.
void Runner::State::wait() {
  std::optional<SteadyTime> first;
  for (auto& w : workers) {
    if (w->queue.in_flight() >= kKeysInFlightMax) continue;  // an answer will wake us
    auto due = w->queue.next_due();
    if (due && (!first || *due < *first)) first = due;
  }
  if (first == waiting_for && timer) return;
  timer.reset();
  waiting_for = first;
  if (!first) return;
  Duration delay = std::max(Duration(0), *first - loop.clock().steady());
  timer = loop.after(delay, [self = weak_from_this()] {
    if (auto s = self.lock()) {
      s->waiting_for.reset();
      s->work();
    }
  });
}

void Runner::State::reconcile(Worker& w, const std::string& key) {
  auto run = std::make_shared<Run>();
  run->worker = &w;
  run->key = key;
  (void)view.unreadable();
  Outcome outcome = w.controller->reconcile(key, view, loop.clock().now());
  if (view.unreadable()) {
    w.queue.failed(key, loop.clock().steady());
    return;
  }
  run->again = outcome.again;
  for (Action& a : outcome.actions) {
    if (a.optional && a.resource == "events")
      run->events.push_back(std::move(a));
    else
      run->actions.push_back(std::move(a));
  }
  next(run);
}

void Runner::State::next(const std::shared_ptr<Run>& run) {
  if (run->at >= run->actions.size() || run->failure.reason != Reason::kOk) return finish(run);
  size_t end = run->at + 1;
  const int batch = run->actions[run->at].batch;
  if (batch > 0)
    while (end < run->actions.size() && run->actions[end].batch == batch && end - run->at < kActionsInFlightMax) ++end;
  const size_t begin = run->at;
  run->at = end;
  run->open = end - begin;
  for (size_t i = begin; i < end; ++i) {
    Action& a = run->actions[i];
    send(*run->worker, a, [self = shared_from_this(), run, accept = a.accept, optional = a.optional, i](Status s) {
      const bool fine = s.ok() || optional || std::find(accept.begin(), accept.end(), s.reason) != accept.end();
      if (!fine && run->failure.ok()) {
        run->failure = std::move(s);
        run->failed_action = i;
      }
      if (--run->open == 0 && !self->stopped) self->next(run);
    });
  }
}

void Runner::State::finish(const std::shared_ptr<Run>& run) {
  Worker& w = *run->worker;
  const SteadyTime now = loop.clock().steady();
  if (namespace_ends(run->failure)) {
    // Nothing can be made there any more, and what is there is taken away by others: not worth another try.
    w.queue.done(run->key);
  } else if (!run->failure.ok()) {
    // Conflicts are the normal way of two who write at once; the rest is worth a line.
    if (run->failure.reason != Reason::kConflict)
      log::warn("control.failed", run->failure.message,
                {{"controller", w.controller->name()},
                 {"key", run->key},
                 {"action", describe(run->actions[run->failed_action])}});
    for (Action& a :
         w.controller->failed(run->key, run->actions[run->failed_action], run->failure, view, loop.clock().now())) {
      if (a.resource == "events")
        write_event(w, std::move(a));
      else
        send(w, a, [](const Status&) {});
    }
    run->events.clear();
    w.queue.failed(run->key, now);
  } else {
    w.queue.done(run->key);
    if (run->again) w.queue.add_at(run->key, now + *run->again);
  }
  for (Action& e : run->events) write_event(w, std::move(e));
  loop.post([self = weak_from_this()] {
    if (auto s = self.lock()) s->work();
  });
}

}  // namespace lotse::control
