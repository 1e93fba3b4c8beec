#include "core/plugin/stream.h"

#include <mutex>

#include "core/base/log.h"
#include "core/plugin/code.h"
#include "core/plugin/shield.h"

namespace lotse::plugin {
namespace {

// The two ends of a plugin's stream. `raw` may be called between the open and the release; release comes once the
// stream has ended and no call of ours is inside any more. No lock is held over a call.
class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(SinkPtr sink) : sink_(std::move(sink)) {}

  // For the plugin: the reference that its ctx holds goes with on_end.
  lotse_stream_sink c_sink() {
    held_ = shared_from_this();
    return {sizeof(lotse_stream_sink), 0, this, on_item, on_writable, on_end};
  }
  void refused() { held_.reset(); }
  void opened(const lotse_stream& raw) {
    std::unique_lock lock(mutex_);
    raw_ = raw;
    open_ = true;
    settle(&lock);
  }
  // Calls fn(raw) if the stream may still be called.
  template <class Fn>
  void with(const Fn& fn) {
    std::unique_lock lock(mutex_);
    if (!open_ || ended_) return;
    inside_++;
    lock.unlock();
    shielded_quietly("of a stream", [&] { fn(raw_); });
    lock.lock();
    inside_--;
    settle(&lock);
  }

 private:
  void settle(std::unique_lock<std::mutex>* lock) {
    if (!open_ || !ended_ || inside_ > 0 || released_) return;
    released_ = true;
    lock->unlock();
    if (raw_.release) shielded_quietly("release", [&] { raw_.release(raw_.self); });
  }
  static void on_item(void* ctx, uint32_t channel, lotse_bytes item) {
    auto* link = static_cast<Link*>(ctx);
    if (!link->told_end_) link->sink_->on_item(channel, Bytes(view(item)));
  }
  static void on_writable(void* ctx, uint64_t bytes) {
    auto* link = static_cast<Link*>(ctx);
    if (!link->told_end_) link->sink_->on_writable(bytes);
  }
  static void on_end(void* ctx, int32_t code, lotse_bytes payload) {
    auto* link = static_cast<Link*>(ctx);
    if (link->told_end_.exchange(true)) {
      log::warn("plugin.stream.ended_twice", "a plugin ended a stream twice");
      return;
    }
    std::shared_ptr<Link> keep = std::move(link->held_);
    Bytes result = code == LOTSE_OK ? Bytes(view(payload)) : Bytes();
    link->sink_->on_end(status_of(code, view(payload)), std::move(result));
    link->sink_.reset();
    std::unique_lock lock(link->mutex_);
    link->ended_ = true;
    link->settle(&lock);
  }

  std::mutex mutex_;
  SinkPtr sink_;
  std::shared_ptr<Link> held_;
  lotse_stream raw_{};
  bool open_ = false, ended_ = false, released_ = false;
  int inside_ = 0;
  std::atomic<bool> told_end_{false};
};

class PluginStream : public Stream {
 public:
  explicit PluginStream(std::shared_ptr<Link> link) : link_(std::move(link)) {}
  ~PluginStream() override { cancel(); }
  void grant(uint64_t count) override {
    link_->with([&](const lotse_stream& s) { s.grant(s.self, count); });
  }
  bool write(uint32_t channel, Bytes data) override {
    bool taken = false;
    link_->with(
        [&](const lotse_stream& s) { taken = s.write && s.write(s.self, channel, bytes(data.view())) == LOTSE_OK; });
    return taken;
  }
  void half_close(uint32_t channel) override {
    link_->with([&](const lotse_stream& s) {
      if (s.half_close) s.half_close(s.self, channel);
    });
  }
  bool control(Control kind, Bytes payload) override {
    bool taken = false;
    link_->with([&](const lotse_stream& s) {
      taken = s.control && s.control(s.self, uint32_t(kind), bytes(payload.view())) == LOTSE_OK;
    });
    return taken;
  }
  void cancel() override {
    link_->with([](const lotse_stream& s) { s.cancel(s.self); });
  }

 private:
  std::shared_ptr<Link> link_;
};

// A sink of a plugin, called by one of our streams.
class ForeignSink : public StreamSink {
 public:
  explicit ForeignSink(const lotse_stream_sink& raw) : raw_(raw) {}
  void on_item(uint32_t channel, Bytes item) override { raw_.on_item(raw_.ctx, channel, bytes(item.view())); }
  void on_writable(uint64_t count) override {
    if (raw_.on_writable) raw_.on_writable(raw_.ctx, count);
  }
  void on_end(Status status, Bytes result) override {
    raw_.on_end(raw_.ctx, code_of(status), bytes(status.ok() ? result.view() : std::string_view(status.message)));
  }

 private:
  lotse_stream_sink raw_;
};

// One of our streams in the hands of a plugin. It is there before our stream is: on_end may come, and the plugin may
// call it, while the open is still going on.
struct Served {
  std::mutex mutex;
  std::shared_ptr<Stream> stream;
  bool cancelled = false;

  std::shared_ptr<Stream> get() {
    std::lock_guard lock(mutex);
    return stream;
  }
  static std::shared_ptr<Served>* held(void* self) { return static_cast<std::shared_ptr<Served>*>(self); }
  static std::shared_ptr<Stream> of(void* self) { return (*held(self))->get(); }
};

lotse_stream c_stream(std::shared_ptr<Served> served) {
  lotse_stream out{};
  out.size = sizeof out;
  out.self = new std::shared_ptr<Served>(std::move(served));
  out.grant = [](void* self, uint64_t count) {
    if (auto stream = Served::of(self)) stream->grant(count);
  };
  out.write = [](void* self, uint32_t channel, lotse_bytes data) -> int32_t {
    auto stream = Served::of(self);
    return stream && stream->write(channel, Bytes(view(data))) ? LOTSE_OK : LOTSE_BUSY;
  };
  out.half_close = [](void* self, uint32_t channel) {
    if (auto stream = Served::of(self)) stream->half_close(channel);
  };
  out.control = [](void* self, uint32_t kind, lotse_bytes payload) -> int32_t {
    auto stream = Served::of(self);
    return stream && stream->control(Control(kind), Bytes(view(payload))) ? LOTSE_OK : LOTSE_UNSUPPORTED;
  };
  out.cancel = [](void* self) {
    auto served = *Served::held(self);
    std::shared_ptr<Stream> stream;
    {
      std::lock_guard lock(served->mutex);
      served->cancelled = true;
      stream = served->stream;
    }
    if (stream) stream->cancel();
  };
  out.release = [](void* self) {
    auto* held = Served::held(self);
    std::shared_ptr<Stream> last;
    {
      std::lock_guard lock((*held)->mutex);
      last = std::move((*held)->stream);
    }
    delete held;
  };
  return out;
}

}  // namespace

Result<StreamPtr> open_stream(const OpenFn& open, SinkPtr sink) {
  auto link = std::make_shared<Link>(std::move(sink));
  lotse_stream_sink c_sink = link->c_sink();
  lotse_stream raw{};
  raw.size = sizeof raw;
  lotse_error error = make_error();
  int32_t code = LOTSE_INTERNAL;
  std::string why = shielded("that opens a stream", [&] { code = open(&c_sink, &raw, &error); });
  if (!why.empty()) {
    link->refused();
    return Status(Reason::kInternalError, why);
  }
  if (code != LOTSE_OK) {
    link->refused();
    error.code = code;
    return status_of(error);
  }
  // A plugin that has left these out could never be fed or stopped.
  if (raw.grant == nullptr || raw.cancel == nullptr) {
    link->refused();
    return Status(Reason::kInternalError, "the plugin opened a stream without the functions grant and cancel");
  }
  link->opened(raw);
  return StreamPtr(std::make_unique<PluginStream>(std::move(link)));
}

Result<StreamPtr> open_message_stream(lotse_message_stream_fn fn, void* self, std::string_view request, SinkPtr sink) {
  if (fn == nullptr) return status_of(LOTSE_UNSUPPORTED, "");
  return open_stream([&](const lotse_stream_sink* c_sink, lotse_stream* stream,
                         lotse_error* error) { return fn(self, bytes(request), c_sink, stream, error); },
                     std::move(sink));
}

int32_t serve_stream(const ServeFn& open, const lotse_stream_sink* sink, lotse_stream* stream, lotse_error* error) {
  auto served = std::make_shared<Served>();
  *stream = c_stream(served);
  void* self = stream->self;
  auto opened = open(std::make_shared<ForeignSink>(*sink));
  if (!opened.ok()) {
    delete Served::held(self);
    *stream = {};
    return tell(error, opened.status());
  }
  bool cancelled;
  std::shared_ptr<Stream> live = *std::move(opened);
  {
    std::lock_guard lock(served->mutex);
    served->stream = live;
    cancelled = served->cancelled;
  }
  // Released while it was being opened: nobody else holds it.
  if (served.use_count() == 1 || cancelled) live->cancel();
  return LOTSE_OK;
}

}  // namespace lotse::plugin
