#include "plugins/engine_http/event_hub.h"

#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kReadyNs = 3600 * kSecond;
constexpr int64_t kLookNs = 60 * kSecond;
constexpr int64_t kRetryFirst = kSecond / 10, kRetryMax = 5 * kSecond;
constexpr size_t kQueueMax = 4096, kLineMax = 1 << 20;

const char* event_name(EngineEvent::Kind kind) {
  switch (kind) {
    case EngineEvent::Kind::created:
      return "created";
    case EngineEvent::Kind::started:
      return "started";
    case EngineEvent::Kind::exited:
      return "exited";
    case EngineEvent::Kind::removed:
      return "removed";
    default:
      return "oom";
  }
}

}  // namespace

class EventStream : public sdk::Producer {
 public:
  EventStream(HttpEngine& engine) : Producer(engine.executor()), engine_(engine) {}

  void put(Msg item) {
    if (queue_.size() >= kQueueMax) {
      queue_.clear();
      item = Msg::map({{"kind", "resync"}});
    }
    queue_.push_back(item.encode());
    flush();
  }
  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    engine_.hub.streams_.erase(this);
    fail(code, sentence);
    engine_.remove(this);
  }

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      if (self->done_) return;
      self->engine_.hub.streams_.insert(self.get());
      if (self->engine_.hub.looked_) self->put(Msg::map({{"kind", "resync"}}));
    });
  }
  void on_credit() override {
    engine_.reactor.post([self = shared()] { self->flush(); });
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  std::shared_ptr<EventStream> shared() { return std::static_pointer_cast<EventStream>(shared_from_this()); }
  void flush() {
    while (!done_ && !queue_.empty() && send(LOTSE_STDIN, queue_.front())) queue_.pop_front();
  }

  HttpEngine& engine_;
  std::deque<std::string> queue_;
  bool done_ = false;
};

sdk::ProducerPtr EventHub::open() {
  return std::make_shared<EventStream>(engine_);
}

void EventHub::start() {
  engine_.spawn_step([this] { return run(); });
}

void EventHub::stop() {
  stopped_ = true;
  if (exchange_) exchange_->close();
  exchange_.reset();
  execs_.clear();
  if (auto waiter = std::exchange(waiter_, nullptr)) waiter(Done{});
}

void EventHub::watch_exec(const std::string& container, const std::string& exec_id, std::function<void()> ended) {
  execs_[exec_id] = {container, std::move(ended)};
}

Co<Done> EventHub::run() {
  int64_t delay = kRetryFirst;
  while (!stopped_) {
    std::string why;
    bool worked = false;
    try {
      co_await once();
      worked = true;
    } catch (const sdk::Failure& failure) {
      why = failure.what();
    }
    if (stopped_) break;
    disconnected(why.empty() ? "the engine's events have ended" : why);
    delay = worked ? kRetryFirst : std::min(delay * 2, kRetryMax);
    co_await engine_.sleep(delay);
  }
  co_return Done{};
}

// One connection, until it breaks.
Co<Done> EventHub::once() {
  co_await engine_.ready(Reactor::now_ns() + kReadyNs);
  if (stopped_) co_return Done{};
  auto end = std::make_shared<std::optional<Verdict>>();
  auto status = std::make_shared<int>(0);
  auto wake = [this] {
    if (auto waiter = std::exchange(waiter_, nullptr)) engine_.reactor.post([waiter] { waiter(Done{}); });
  };
  HttpHandler handler;
  handler.on_head = [status, wake](int code, bool) {
    *status = code;
    wake();
  };
  handler.on_body = [this](std::string_view piece) { received(piece); };
  handler.on_end = [end, wake](const Verdict& verdict) {
    *end = verdict;
    wake();
  };
  line_.clear();
  early_.clear();
  looked_ = false;
  since_ = Reactor::unix_now_ns();
  std::string path = engine_.dialect->events_path(engine_.settings.machine.owner, since_);
  exchange_ = engine_.api.start(engine_.api.request("GET", path), std::move(handler), 0);
  while (*status == 0 && !*end && !stopped_) {
    Callback<Done> something([this](std::function<void(Done)> done) { waiter_ = std::move(done); });
    co_await something;
  }
  if (*status == 200 && !*end && !stopped_) co_await look_around();
  while (!*end && !stopped_) {
    Callback<Done> something([this](std::function<void(Done)> done) { waiter_ = std::move(done); });
    co_await something;
  }
  exchange_.reset();
  if (!stopped_ && *end && !(*end)->ok()) (*end)->failure().raise();
  co_return Done{};
}

Co<Done> EventHub::look_around() {
  auto all = co_await engine_.list({}, Reactor::now_ns() + kLookNs);
  known_.clear();
  std::set<std::string> ids;
  for (auto& facts : all) {
    ids.insert(facts.id);
    known_[facts.id] = {label_of(facts.labels, mark::kSandbox)};
    if (facts.is_sandbox()) continue;
    engine_.log_begins(facts);
    if (facts.state == ContainerFacts::State::exited) engine_.log_ends(facts.id);
  }
  engine_.logs_known(ids);
  looked_ = true;
  auto streams = streams_;
  for (auto* stream : streams) stream->put(Msg::map({{"kind", "resync"}}));
  auto early = std::move(early_);
  early_.clear();
  for (auto& event : early) handle(event);
  co_return Done{};
}

void EventHub::received(std::string_view piece) {
  line_.append(piece);
  size_t end;
  while ((end = line_.find('\n')) != std::string::npos) {
    std::string text = line_.substr(0, end);
    line_.erase(0, end + 1);
    auto event = engine_.dialect->event(Json::parse(text));
    if (!event || event->time < since_) continue;  // an engine may count in seconds
    if (looked_) {
      handle(*event);
    } else {
      early_.push_back(std::move(*event));
    }
  }
  if (line_.size() > kLineMax) line_.clear();
}

void EventHub::handle(const EngineEvent& event) {
  if (event.kind == EngineEvent::Kind::exec_exited) {
    for (auto& [exec_id, exec] : execs_) {  // what is called only begins something
      if (event.exec_id == exec_id || (event.exec_id.empty() && exec.container == event.id)) exec.ended();
    }
    return;
  }
  if (label_of(event.labels, mark::kOwner) == engine_.settings.machine.owner) {
    known_[event.id] = {label_of(event.labels, mark::kSandbox)};
  }
  auto it = known_.find(event.id);
  if (it == known_.end()) return;  // not ours
  std::string sandbox = it->second.sandbox;
  if (event.kind == EngineEvent::Kind::oom) engine_.note_oom(event.id);
  if (event.kind == EngineEvent::Kind::exited && !sandbox.empty()) engine_.log_ends(event.id);
  if (event.kind == EngineEvent::Kind::removed) {
    engine_.log_removed(event.id);
    known_.erase(it);
  }
  Msg item = Msg::map({{"kind", sandbox.empty() ? "sandbox" : "container"},
                       {"id", event.id},
                       {"sandbox", sandbox.empty() ? event.id : sandbox},
                       {"event", event_name(event.kind)},
                       {"time", event.time}});
  auto streams = streams_;
  for (auto* stream : streams) stream->put(item);
}

void EventHub::disconnected(const std::string& why) {
  looked_ = false;
  auto execs = std::move(execs_);
  execs_.clear();
  for (auto& [id, exec] : execs) exec.ended();
  auto streams = streams_;
  for (auto* stream : streams) stream->stop(LOTSE_UNAVAILABLE, why);
}

}  // namespace lotse::engine_http
