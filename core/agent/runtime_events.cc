#include "core/agent/runtime_events.h"

#include "core/base/log.h"

namespace lotse::agent {
namespace {
constexpr Duration kFirst = std::chrono::milliseconds(500), kMost = std::chrono::seconds(10);
}

struct RuntimeEvents::State : std::enable_shared_from_this<State> {
  Runtime& runtime;
  Loop& loop;
  std::map<std::string, std::function<void(const RuntimeEvent&)>> sandboxes;
  std::map<uint64_t, std::function<void()>> lost;
  uint64_t next = 1, epoch = 0;
  StreamPtr stream;
  Handle timer;
  Duration delay{0};
  bool closed = false;

  State(Runtime& r, Loop& l) : runtime(r), loop(l) {}

  struct Sink : StreamSink {
    std::weak_ptr<State> state;
    Loop& loop;
    uint64_t epoch;
    Sink(std::shared_ptr<State> s, uint64_t e) : state(s), loop(s->loop), epoch(e) {}
    void on_item(uint32_t, Bytes item) override {
      loop.post([weak = state, e = epoch, item] {
        auto s = weak.lock();
        if (s && !s->closed && s->epoch == e) s->take(item);
      });
    }
    void on_end(Status status, Bytes) override {
      loop.post([weak = state, e = epoch, status] {
        auto s = weak.lock();
        if (s && !s->closed && s->epoch == e) s->ended(status);
      });
    }
  };

  void open() {
    auto opened = runtime.open(Open::kEvents, MsgValue::map(), std::make_shared<Sink>(shared_from_this(), ++epoch));
    if (!opened.ok()) return ended(opened.status());
    stream = std::move(*opened);
    stream->grant(kStreamWindow);
    if (delay != Duration(0)) tell_lost();
  }

  void ended(const Status& status) {
    stream.reset();
    ++epoch;
    delay = delay == Duration(0) ? kFirst : std::min(delay * 2, kMost);
    log::warn("agent.runtime_events_ended", "the runtime's events ended and are asked for again",
              {{"why", status.message}});
    timer = loop.after(delay, [weak = weak_from_this()] {
      if (auto s = weak.lock(); s && !s->closed) s->open();
    });
  }

  void tell_lost() {
    auto copy = lost;
    for (auto& [id, fn] : copy) {
      if (lost.contains(id)) fn();
    }
  }

  void take(const Bytes& item) {
    if (stream) stream->grant(std::max<size_t>(item.size(), 1));
    delay = Duration(0);
    auto v = MsgValue::parse(item);
    if (!v.ok()) return;
    if ((*v)["kind"].as_text() == "resync") return tell_lost();
    RuntimeEvent e;
    e.sandbox = (*v)["kind"].as_text() == "sandbox";
    e.id = std::string((*v)["id"].as_text());
    e.sandbox_id = e.sandbox ? e.id : std::string((*v)["sandbox"].as_text());
    e.what = std::string((*v)["event"].as_text());
    auto it = sandboxes.find(e.sandbox_id);
    if (it == sandboxes.end()) return;
    auto fn = it->second;
    fn(e);
  }
};

namespace {
struct Leave : Handle::Impl {
  std::function<void()> fn;
  explicit Leave(std::function<void()> f) : fn(std::move(f)) {}
  ~Leave() override { fn(); }
};
}  // namespace

RuntimeEvents::RuntimeEvents(Runtime& runtime, Loop& loop) : state_(std::make_shared<State>(runtime, loop)) {}
RuntimeEvents::~RuntimeEvents() {
  state_->closed = true;
  state_->timer.reset();
  state_->stream.reset();
}

void RuntimeEvents::start() { state_->open(); }

Handle RuntimeEvents::follow_sandbox(const std::string& id, std::function<void(const RuntimeEvent&)> fn) {
  state_->sandboxes[id] = std::move(fn);
  return Handle(std::make_unique<Leave>([weak = std::weak_ptr<State>(state_), id] {
    if (auto s = weak.lock()) s->sandboxes.erase(id);
  }));
}

Handle RuntimeEvents::on_lost(std::function<void()> fn) {
  auto number = state_->next++;
  state_->lost[number] = std::move(fn);
  return Handle(std::make_unique<Leave>([weak = std::weak_ptr<State>(state_), number] {
    if (auto s = weak.lock()) s->lost.erase(number);
  }));
}

}  // namespace lotse::agent
