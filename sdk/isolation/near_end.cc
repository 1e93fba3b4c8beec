#include "sdk/isolation/near_end.h"

#include <atomic>
#include <condition_variable>
#include <cstring>

#include "lotse/call.hpp"
#include "lotse/error.hpp"

namespace lotse::isolation {
namespace {

void tell(lotse_error* error, int32_t code, std::string_view sentence) {
  if (!error) return;
  error->code = code;
  const size_t size = std::min(sentence.size(), sizeof error->message - 1);
  std::memcpy(error->message, sentence.data(), size);
  error->message[size] = '\0';
}

}  // namespace

int64_t monotonic_now() { return sdk::monotonic_ns(); }

// One stream in the opener's hands. After the end nothing is sent but the release.
struct NearEnd::Stream {
  std::shared_ptr<NearEnd> end;
  uint32_t id = 0;
  lotse_stream_sink sink{};
  std::mutex mutex;
  bool ended = false;
  int64_t write_credit = LOTSE_STREAM_WINDOW;
  uint64_t refused = 0;  // channels that take nothing, a bit each

  bool over() {
    std::lock_guard lock(mutex);
    return ended;
  }
};

// The functions of lotse_stream.
struct NearEnd::StreamCalls {
  static Stream* of(void* self) { return static_cast<std::shared_ptr<Stream>*>(self)->get(); }
  static void send(Stream* s, FrameType type, uint32_t number, int64_t value, std::string_view payload) {
    if (!s->over()) s->end->send({type, s->id, number, value, std::string(payload)});
  }
  static void grant(void* self, uint64_t bytes) {
    send(of(self), FrameType::kGrant, 0, static_cast<int64_t>(std::min<uint64_t>(bytes, INT64_MAX)), {});
  }
  static int32_t write(void* self, uint32_t channel, lotse_bytes data) {
    Stream* s = of(self);
    if (data.size > kFrameMax) return LOTSE_TOO_LARGE;
    {
      std::lock_guard lock(s->mutex);
      if (s->ended) return LOTSE_CANCELLED;
      if (channel < 64 && (s->refused >> channel & 1)) return LOTSE_UNSUPPORTED;
      if (s->write_credit <= 0) return LOTSE_BUSY;
      s->write_credit -= data.size > 0 ? static_cast<int64_t>(data.size) : 1;
    }
    s->end->send({FrameType::kWrite, s->id, channel, 0, std::string(sdk::view(data))});
    return LOTSE_OK;
  }
  static void half_close(void* self, uint32_t channel) { send(of(self), FrameType::kHalfClose, channel, 0, {}); }
  static int32_t control(void* self, uint32_t kind, lotse_bytes payload) {
    if (of(self)->over()) return LOTSE_CANCELLED;
    send(of(self), FrameType::kControl, kind, 0, sdk::view(payload));
    return LOTSE_OK;
  }
  static void cancel(void* self) { send(of(self), FrameType::kCancel, 0, 0, {}); }
  static void release(void* self) {
    auto* held = static_cast<std::shared_ptr<Stream>*>(self);
    (*held)->end->send({FrameType::kRelease, (*held)->id, 0, 0, {}});
    delete held;
  }
};

std::string NearEnd::gone() const {
  std::lock_guard lock(mutex_);
  return why_;
}

std::optional<uint32_t> NearEnd::add(Waiting waiting) {
  bool sooner;
  uint32_t id;
  {
    std::lock_guard lock(mutex_);
    if (failed_) return std::nullopt;
    sooner = waiting.due != 0;
    for (const auto& [other, w] : waiting_) sooner = sooner && (w.due == 0 || waiting.due < w.due);
    id = ++last_id_;
    waiting_.emplace(id, std::move(waiting));
  }
  if (sooner && settings_.check_sooner) settings_.check_sooner();
  return id;
}

// Whoever uses the plugin also finds out whether it is still there: a ping follows what is sent, though not each time.
void NearEnd::send(const Frame& frame) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    if (failed_) return;
    first = !std::exchange(ping_owed_, true) && ping_due_ == 0;
  }
  settings_.send(frame);
  if (first && settings_.check_sooner) settings_.check_sooner();
}

void NearEnd::call(uint32_t function, lotse_bytes request, const lotse_call* raw) {
  const lotse_call call = *raw;
  if (request.size > kFrameMax) return call.done(call.ctx, LOTSE_TOO_LARGE, sdk::bytes("the request is too large"));
  Waiting waiting;
  waiting.done = [call](int32_t code, std::string_view payload) { call.done(call.ctx, code, sdk::bytes(payload)); };
  if (call.cancelled) waiting.cancelled = [call] { return call.cancelled(call.ctx) != 0; };
  if (call.deadline_ns != 0) waiting.due = call.deadline_ns + settings_.patience_ns;
  const auto id = add(std::move(waiting));
  if (!id) return call.done(call.ctx, LOTSE_UNAVAILABLE, sdk::bytes(gone()));
  send({FrameType::kCall, *id, function, call.deadline_ns, std::string(sdk::view(request))});
}

int32_t NearEnd::open(uint32_t function, lotse_bytes request, const lotse_stream_sink* sink, lotse_stream* stream,
                      lotse_error* error) {
  if (request.size > kFrameMax) return tell(error, LOTSE_TOO_LARGE, "the request is too large"), LOTSE_TOO_LARGE;
  auto made = std::make_shared<Stream>();
  made->end = shared_from_this();
  made->sink = *sink;
  struct Opened {
    std::mutex mutex;
    std::condition_variable came;
    bool here = false;
    int32_t code = LOTSE_INTERNAL;
    std::string why;
  };
  auto opened = std::make_shared<Opened>();
  Waiting waiting;
  waiting.what = "the opening of a stream";
  waiting.due = monotonic_now() + 60'000'000'000 + settings_.patience_ns;
  waiting.done = [opened](int32_t code, std::string_view payload) {
    std::lock_guard lock(opened->mutex);
    opened->here = true, opened->code = code, opened->why = payload;
    opened->came.notify_all();
  };
  const auto id = add(std::move(waiting));
  if (!id) return tell(error, LOTSE_UNAVAILABLE, gone()), LOTSE_UNAVAILABLE;
  made->id = *id;
  {
    std::lock_guard lock(mutex_);
    if (!failed_) streams_.emplace(*id, made);
  }
  send({FrameType::kOpen, *id, function, 0, std::string(sdk::view(request))});
  std::unique_lock lock(opened->mutex);
  opened->came.wait(lock, [&] { return opened->here; });
  if (opened->code != LOTSE_OK) return tell(error, opened->code, opened->why), opened->code;
  *stream = {sizeof *stream,         0,
             new std::shared_ptr<Stream>(made), StreamCalls::grant,
             StreamCalls::write,     StreamCalls::half_close,
             StreamCalls::control,   StreamCalls::cancel,
             StreamCalls::release};
  return LOTSE_OK;
}

void NearEnd::ask(FrameType type, std::string payload, int64_t timeout_ns, Done done) {
  Waiting waiting;
  waiting.due = monotonic_now() + timeout_ns;
  waiting.what = type == FrameType::kCreate ? "its creation" : "its new configuration";
  waiting.done = done;
  const auto id = add(std::move(waiting));
  if (!id) return done(LOTSE_UNAVAILABLE, gone());
  settings_.send({type, *id, 0, 0, std::move(payload)});
}

void NearEnd::answer(uint32_t id, int32_t code, std::string_view payload) {
  Waiting waiting;
  {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(id);
    if (found == waiting_.end()) return;
    waiting = std::move(found->second);
    waiting_.erase(found);
  }
  waiting.done(code, payload);
}

bool NearEnd::receive(Frame f) {
  std::shared_ptr<Stream> stream;
  std::function<bool()> cancelled;
  {
    std::lock_guard lock(mutex_);
    if (f.type == FrameType::kPong) return ping_due_ = 0, true;
    if (auto found = streams_.find(f.id); found != streams_.end()) stream = found->second;
    if (f.type == FrameType::kEnd || (f.type == FrameType::kOpened && f.number != LOTSE_OK)) streams_.erase(f.id);
    if (auto found = waiting_.find(f.id); found != waiting_.end()) cancelled = found->second.cancelled;
  }
  const auto code = static_cast<int32_t>(f.number);
  switch (f.type) {
    case FrameType::kDone:
    case FrameType::kOpened:
      answer(f.id, code, f.payload);
      return true;
    case FrameType::kAskCancelled:
      settings_.send({FrameType::kCancelled, f.id, 0, cancelled && cancelled() ? 1 : 0, {}});
      return true;
    case FrameType::kItem:
      if (stream) stream->sink.on_item(stream->sink.ctx, f.number, sdk::bytes(f.payload));
      return true;
    case FrameType::kWritable:
    case FrameType::kRefused: {
      if (!stream) return true;
      {
        std::lock_guard lock(stream->mutex);
        stream->write_credit += f.value;
        if (f.type == FrameType::kRefused && f.number < 64) stream->refused |= uint64_t{1} << f.number;
      }
      if (f.type == FrameType::kWritable && stream->sink.on_writable)
        stream->sink.on_writable(stream->sink.ctx, static_cast<uint64_t>(f.value));
      return true;
    }
    case FrameType::kEnd: {
      if (!stream) return true;
      {
        std::lock_guard lock(stream->mutex);
        stream->ended = true;
      }
      stream->sink.on_end(stream->sink.ctx, code, sdk::bytes(f.payload));
      return true;
    }
    default:
      return false;
  }
}

void NearEnd::fail(const std::string& sentence) {
  std::map<uint32_t, Waiting> waiting;
  std::map<uint32_t, std::shared_ptr<Stream>> streams;
  {
    std::lock_guard lock(mutex_);
    if (failed_) return;
    failed_ = true;
    why_ = sentence;
    waiting.swap(waiting_);
    streams.swap(streams_);
    ping_due_ = 0;
  }
  for (auto& [id, s] : streams) {
    if (waiting.count(id)) continue;  // it was never open
    {
      std::lock_guard lock(s->mutex);
      s->ended = true;
    }
    s->sink.on_end(s->sink.ctx, LOTSE_UNAVAILABLE, sdk::bytes(sentence));
  }
  for (auto& [id, w] : waiting) w.done(LOTSE_UNAVAILABLE, sentence);
}

int64_t NearEnd::next_ping() const {
  if (ping_due_ != 0) return INT64_MAX;
  if (ping_owed_) return pinged_ + settings_.patience_ns / 2;
  return streams_.empty() ? INT64_MAX : pinged_ + kBeat;
}

void NearEnd::beat(int64_t now) {
  {
    std::lock_guard lock(mutex_);
    if (failed_ || now < next_ping()) return;
    pinged_ = now;
    ping_due_ = now + settings_.patience_ns;
    ping_owed_ = false;
  }
  settings_.send({FrameType::kPing, 0, 0, 0, {}});
}

int64_t NearEnd::next_check() const {
  std::lock_guard lock(mutex_);
  int64_t next = ping_due_ ? ping_due_ : next_ping();
  for (const auto& [id, w] : waiting_)
    if (w.due != 0) next = std::min(next, w.due);
  return next;
}

std::string NearEnd::overdue(int64_t now) const {
  std::lock_guard lock(mutex_);
  if (ping_due_ != 0 && now >= ping_due_) return "its loop answers no more";
  for (const auto& [id, w] : waiting_)
    if (w.due != 0 && now >= w.due) return std::string("it gave no answer to ") + w.what + " in time";
  return {};
}

}  // namespace lotse::isolation
