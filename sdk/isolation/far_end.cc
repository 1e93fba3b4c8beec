#include "sdk/isolation/far_end.h"

#include <atomic>
#include <optional>
#include <unordered_map>
#include <vector>

#include "lotse/error.hpp"

namespace lotse::isolation {

// A call in the plugin's hands. The ctx is a number, so that an answer that comes twice finds nothing.
struct FarEnd::Call {
  std::shared_ptr<FarEnd> end;
  uint32_t id = 0;
  std::atomic<bool> cancelled{false}, asked{false};

  struct Table {
    std::mutex mutex;
    uintptr_t next = 1;
    std::unordered_map<uintptr_t, std::shared_ptr<Call>> calls;
    static Table& one() {
      static auto* table = new Table;
      return *table;
    }
  };
  static void* add(std::shared_ptr<Call> call) {
    Table& t = Table::one();
    std::lock_guard lock(t.mutex);
    t.calls.emplace(t.next, std::move(call));
    return reinterpret_cast<void*>(t.next++);
  }
  static void done(void* ctx, int32_t code, lotse_bytes payload) {
    Table& t = Table::one();
    std::shared_ptr<Call> call;
    {
      std::lock_guard lock(t.mutex);
      auto found = t.calls.find(reinterpret_cast<uintptr_t>(ctx));
      if (found == t.calls.end()) return;
      call = std::move(found->second);
      t.calls.erase(found);
    }
    {
      std::lock_guard lock(call->end->mutex_);
      call->end->calls_.erase(call->id);
    }
    Frame answer{FrameType::kDone, call->id, static_cast<uint32_t>(code), 0, std::string(sdk::view(payload))};
    if (answer.payload.size() > kFrameMax) answer.number = LOTSE_TOO_LARGE, answer.payload = "the answer is too large";
    call->end->settings_.send(answer);
  }
  // Asks the other side, one question at a time; what it said last is the answer.
  static int32_t is_cancelled(void* ctx) {
    Table& t = Table::one();
    std::shared_ptr<Call> call;
    {
      std::lock_guard lock(t.mutex);
      auto found = t.calls.find(reinterpret_cast<uintptr_t>(ctx));
      if (found == t.calls.end()) return 1;
      call = found->second;
    }
    if (!call->cancelled && !call->asked.exchange(true))
      call->end->settings_.send({FrameType::kAskCancelled, call->id, 0, 0, {}});
    return call->cancelled ? 1 : 0;
  }
};

// A stream of the plugin's. What it says before the other side knows that it is open has to wait.
struct FarEnd::Stream : std::enable_shared_from_this<Stream> {
  std::shared_ptr<FarEnd> end;
  uint32_t id = 0;
  lotse_stream raw{};
  std::mutex mutex;
  bool opened = false;
  std::vector<Frame> early;

  void say(Frame frame) {
    frame.id = id;
    std::lock_guard lock(mutex);
    if (opened)
      end->settings_.send(frame);
    else
      early.push_back(std::move(frame));
  }
  void is_open() {
    std::lock_guard lock(mutex);
    opened = true;
    end->settings_.send({FrameType::kOpened, id, LOTSE_OK, 0, {}});
    for (const Frame& f : early) end->settings_.send(f);
    early.clear();
  }
  static void on_item(void* ctx, uint32_t channel, lotse_bytes item) {
    static_cast<Stream*>(ctx)->say({FrameType::kItem, 0, channel, 0, std::string(sdk::view(item))});
  }
  static void on_writable(void* ctx, uint64_t bytes) {
    static_cast<Stream*>(ctx)->say({FrameType::kWritable, 0, 0, static_cast<int64_t>(bytes), {}});
  }
  static void on_end(void* ctx, int32_t code, lotse_bytes payload) {
    auto keep = static_cast<Stream*>(ctx)->shared_from_this();  // the release may come before this returns
    keep->say({FrameType::kEnd, 0, static_cast<uint32_t>(code), 0, std::string(sdk::view(payload))});
  }
};

void FarEnd::receive(Frame f) {
  auto self = shared_from_this();
  auto on_worker = [&](auto fn, FrameType answer) {
    const uint32_t id = f.id;
    if (settings_.work([self, fn, f = std::move(f)] { (self.get()->*fn)(f); })) return;
    settings_.send({answer, id, LOTSE_BUSY, 0, "too many calls wait for the plugin"});
  };
  switch (f.type) {
    case FrameType::kCall:
      return on_worker(&FarEnd::call, FrameType::kDone);
    case FrameType::kOpen:
      return on_worker(&FarEnd::open, FrameType::kOpened);
    case FrameType::kReconfigure:
      return on_worker(&FarEnd::reconfigure, FrameType::kDone);
    case FrameType::kPing:
      return settings_.on_loop([self] { self->settings_.send({FrameType::kPong, 0, 0, 0, {}}); });
    case FrameType::kCancelled: {
      std::lock_guard lock(mutex_);
      auto found = calls_.find(f.id);
      auto call = found == calls_.end() ? nullptr : found->second.lock();
      if (call) call->cancelled = f.value != 0, call->asked = false;
      return;
    }
    case FrameType::kDestroy:
      instance_->destroy(instance_->self);
      return settings_.send({FrameType::kBye, 0, 0, 0, {}});
    default: {
      std::shared_ptr<Stream> stream;
      {
        std::lock_guard lock(mutex_);
        auto found = streams_.find(f.id);
        if (found == streams_.end()) return;
        stream = found->second;
        if (f.type == FrameType::kRelease) streams_.erase(found);
      }
      to_stream(f, *stream);
    }
  }
}

void FarEnd::call(const Frame& f) {
  auto call = std::make_shared<Call>();
  call->end = shared_from_this();
  call->id = f.id;
  {
    std::lock_guard lock(mutex_);
    calls_.emplace(f.id, call);
  }
  const lotse_call raw{sizeof raw, 0, f.value, Call::add(call), Call::done, Call::is_cancelled};
  auto fn = f.number < functions_.calls.size() ? function_at<lotse_message_fn>(instance_, functions_.calls[f.number]) : nullptr;
  if (!fn) return Call::done(raw.ctx, LOTSE_UNSUPPORTED, sdk::bytes("the plugin does not offer that"));
  std::string request = f.payload;
  fn(instance_->self, sdk::bytes(request), &raw);
  request.assign(request.size(), '\xc1');  // who kept a pointer into it reads a byte that means nothing
}

void FarEnd::open(const Frame& f) {
  auto fn = f.number < functions_.streams.size()
                ? function_at<lotse_message_stream_fn>(instance_, functions_.streams[f.number])
                : nullptr;
  auto refuse = [&](int32_t code, std::string why) {
    settings_.send({FrameType::kOpened, f.id, static_cast<uint32_t>(code), 0, std::move(why)});
  };
  if (!fn) return refuse(LOTSE_UNSUPPORTED, "the plugin does not offer that");
  auto stream = std::make_shared<Stream>();
  stream->end = shared_from_this();
  stream->id = f.id;
  lotse_stream_sink sink{sizeof sink, 0, stream.get(), Stream::on_item, Stream::on_writable, Stream::on_end};
  lotse_error error{};
  error.size = sizeof error;
  stream->raw.size = sizeof stream->raw;
  std::string request = f.payload;
  {
    std::lock_guard lock(mutex_);
    streams_.emplace(f.id, stream);
  }
  const int32_t code = fn(instance_->self, sdk::bytes(request), &sink, &stream->raw, &error);
  request.assign(request.size(), '\xc1');
  sink = {};
  if (code == LOTSE_OK && stream->raw.grant && stream->raw.cancel) return stream->is_open();
  {
    std::lock_guard lock(mutex_);
    streams_.erase(f.id);
  }
  if (code == LOTSE_OK) return refuse(LOTSE_INTERNAL, "the plugin opened a stream without the functions grant and cancel");
  refuse(code, error.message);
}

void FarEnd::to_stream(const Frame& f, Stream& s) {
  const lotse_stream& raw = s.raw;
  switch (f.type) {
    case FrameType::kGrant:
      return raw.grant(raw.self, static_cast<uint64_t>(f.value));
    case FrameType::kWrite: {
      const int32_t code = raw.write ? raw.write(raw.self, f.number, sdk::bytes(f.payload)) : int32_t{LOTSE_UNSUPPORTED};
      const int64_t cost = f.payload.empty() ? 1 : static_cast<int64_t>(f.payload.size());
      if (code == LOTSE_UNSUPPORTED) s.say({FrameType::kRefused, 0, f.number, cost, {}});
      return;
    }
    case FrameType::kHalfClose:
      if (raw.half_close) raw.half_close(raw.self, f.number);
      return;
    case FrameType::kControl:
      if (raw.control) raw.control(raw.self, f.number, sdk::bytes(f.payload));
      return;
    case FrameType::kCancel:
      return raw.cancel(raw.self);
    case FrameType::kRelease:
      if (raw.release) raw.release(raw.self);
      return;
    default:
      return;
  }
}

void FarEnd::reconfigure(const Frame& f) {
  lotse_error error{};
  error.size = sizeof error;
  int32_t code = LOTSE_UNSUPPORTED;
  if (instance_->reconfigure) code = instance_->reconfigure(instance_->self, sdk::bytes(f.payload), &error);
  settings_.send({FrameType::kDone, f.id, static_cast<uint32_t>(code), 0, code == LOTSE_OK ? "" : error.message});
}

}  // namespace lotse::isolation
