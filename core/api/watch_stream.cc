#include "core/api/watch_stream.h"

#include "core/api/output.h"
#include "core/api/server_impl.h"
#include "core/api/status_object.h"

namespace lotse::api {
namespace {

constexpr Duration kBookmarkEvery = std::chrono::minutes(1);
constexpr size_t kAtOnce = 64;

std::string_view type_name(store::Event::Type type) {
  switch (type) {
    case store::Event::Type::kAdded: return "ADDED";
    case store::Event::Type::kModified: return "MODIFIED";
    case store::Event::Type::kDeleted: return "DELETED";
  }
  return "";
}

}  // namespace

// All but the constructor and credit happens on the server's loop.
class WatchStream : public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(CallPtr call, WatchPlan plan, SinkPtr sink)
      : call_(std::move(call)),
        plan_(std::move(plan)),
        sink_(std::move(sink)),
        loop_(call_->server.loop()),
        registry_(call_->server.watches().shared_from_this()) {}

  Status start() {
    const std::weak_ptr<WatchStream> weak = weak_from_this();
    LOTSE_TRY(cursor_, call_->server.store().watch(plan_.query, [weak] {
                if (auto self = weak.lock()) self->pump_soon();
              }));
    call_->server.metrics().watch_opened();
    loop_.post([self = shared_from_this()] {
      if (self->over_) return;
      if (self->registry_->closed()) return self->end(Status(Reason::kServiceUnavailable, "the server ends"));
      self->registry_->add(self);
      self->deadline_ = self->loop_.after(self->plan_.lifetime, [weak = self->weak_from_this()] {
        if (auto live = weak.lock()) live->end({});
      });
    });
    return {};
  }

  void grant(uint64_t bytes) {
    credit_ += static_cast<int64_t>(std::min<uint64_t>(bytes, INT32_MAX));
    pump_soon();
  }
  void cancel() {
    on_loop([](WatchStream& self) { self.end(Status(Reason::kCancelled, "cancelled")); });
  }
  void bookmark() {
    if (over_ || !plan_.bookmarks || initial_ < plan_.initial.size()) return;
    pump();
    const uint64_t at = over_ || !cursor_ ? 0 : cursor_->progress();
    if (at == 0 || at <= marked_ || credit_ <= 0) return;
    marked_ = at;
    give(event_text("BOOKMARK", bookmark_text(*call_, at, false)));
  }
  void end(Status status) {
    if (std::exchange(over_, true)) return;
    cursor_.reset();
    deadline_.reset();
    const auto self = shared_from_this();
    if (!registry_->closed()) {
      call_->server.metrics().watch_closed();
      registry_->remove(self);
    }
    SinkPtr sink = std::move(sink_);
    if (sink) sink->on_end(std::move(status), {});
  }

 private:
  template <class Fn>
  void on_loop(Fn fn) {
    loop_.post([self = shared_from_this(), fn] { fn(*self); });
  }
  void pump_soon() {
    if (posted_.exchange(true)) return;
    on_loop([](WatchStream& self) {
      self.posted_ = false;
      self.pump();
    });
  }

  void give(Bytes item) {
    credit_ -= static_cast<int64_t>(std::max<size_t>(item.size(), 1));
    sink_->on_item(0, std::move(item));
  }

  Bytes event(std::string_view type, const ObjectPtr& object) {
    return event_text(*call_, type, object, !std::exchange(columns_sent_, true));
  }

  void pump() {
    if (over_ || !cursor_ || registry_->closed()) return;
    while (!over_ && credit_ > 0 && initial_ < plan_.initial.size()) {
      const ObjectPtr object = std::move(plan_.initial[initial_++]);
      give(event("ADDED", object));
    }
    if (over_ || initial_ < plan_.initial.size() || credit_ <= 0) return;
    plan_.initial.clear();
    initial_ = 0;
    if (std::exchange(plan_.mark_initial_end, false)) {
      marked_ = plan_.initial_revision;
      give(event_text("BOOKMARK", bookmark_text(*call_, plan_.initial_revision, true)));
    }
    call_->server.catch_up();  // whoever sees a change may do what it allows him
    while (!over_ && credit_ > 0) {
      auto events = cursor_->next(kAtOnce);
      if (!events.ok()) return fail(events.status());
      if (events->empty()) return;
      for (const auto& e : *events) {  // may take the credit below zero, by a bounded number of events
        if (over_) return;
        give(event(type_name(e.type), e.object));
      }
    }
  }

  void fail(const Status& why) {
    Status status = why;
    if (status.reason == Reason::kExpired) status.message = "too old resource version: " + status.message;
    give(event_text("ERROR", json::write(status_value(status))));
    end({});
  }

  const CallPtr call_;
  WatchPlan plan_;
  SinkPtr sink_;
  Loop& loop_;
  const std::shared_ptr<WatchRegistry> registry_;  // the server may be gone before the last watch: ask it first
  std::unique_ptr<store::Cursor> cursor_;
  Handle deadline_;
  size_t initial_ = 0;
  uint64_t marked_ = 0;
  std::atomic<int64_t> credit_{0};
  std::atomic<bool> posted_{false};
  bool over_ = false, columns_sent_ = false;
};

namespace {

class WatchHandle : public Stream {
 public:
  explicit WatchHandle(std::shared_ptr<WatchStream> watch) : watch_(std::move(watch)) {}
  ~WatchHandle() override { watch_->cancel(); }
  void grant(uint64_t bytes) override { watch_->grant(bytes); }
  void cancel() override { watch_->cancel(); }

 private:
  std::shared_ptr<WatchStream> watch_;
};

// A watch that cannot begin is still a watch to its client: an ERROR event, then the end.
class FailedWatch : public Stream {
 public:
  FailedWatch(Loop& loop, Bytes error, SinkPtr sink) : loop_(loop), error_(std::move(error)), sink_(std::move(sink)) {}
  void grant(uint64_t) override {
    if (!sink_) return;
    loop_.post([sink = std::move(sink_), error = error_] {
      sink->on_item(0, error);
      sink->on_end({}, {});
    });
    sink_ = nullptr;
  }
  void cancel() override {
    if (!sink_) return;
    loop_.post([sink = std::move(sink_)] { sink->on_end(Status(Reason::kCancelled, "cancelled"), {}); });
    sink_ = nullptr;
  }
  ~FailedWatch() override { cancel(); }

 private:
  Loop& loop_;
  Bytes error_;
  SinkPtr sink_;
};

}  // namespace

Result<StreamPtr> open_watch(const CallPtr& call, WatchPlan plan, SinkPtr sink) {
  auto watch = std::make_shared<WatchStream>(call, std::move(plan), sink);
  if (auto status = watch->start(); !status.ok()) {
    if (status.reason == Reason::kExpired) status.message = "too old resource version: " + status.message;
    Bytes error = event_text("ERROR", json::write(status_value(status)));
    return StreamPtr(new FailedWatch(call->server.loop(), std::move(error), std::move(sink)));
  }
  return StreamPtr(new WatchHandle(std::move(watch)));
}

void WatchRegistry::add(std::shared_ptr<WatchStream> watch) {
  watches_.insert(std::move(watch));
  arm();
}

void WatchRegistry::remove(const std::shared_ptr<WatchStream>& watch) {
  watches_.erase(watch);
}

void WatchRegistry::arm() {
  if (armed_ || closed_ || watches_.empty()) return;
  armed_ = true;
  *timer_ = server_.loop().after(kBookmarkEvery, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->bookmark_all();
  });
}

void WatchRegistry::bookmark_all() {
  armed_ = false;
  if (closed_) return;
  const std::vector<std::shared_ptr<WatchStream>> all(watches_.begin(), watches_.end());
  for (const auto& watch : all) watch->bookmark();
  arm();
}

void WatchRegistry::close() {
  if (closed_.exchange(true)) return;
  server_.loop().post([self = shared_from_this()] {
    self->timer_->reset();
    const auto all = std::exchange(self->watches_, {});
    for (const auto& watch : all) watch->end(Status(Reason::kServiceUnavailable, "the server ends"));
  });
}

}  // namespace lotse::api
