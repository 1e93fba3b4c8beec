#include "core/bus/mux.h"

#include "core/base/result.h"

namespace lotse::bus {
namespace {

// Control frames and streams waiting to be sent: a peer that asks and never reads is given up.
constexpr size_t kBacklogMax = 4 * kStreamsMax;

int64_t cost(size_t bytes) { return bytes ? static_cast<int64_t>(bytes) : 1; }

Status broken(std::string_view what) { return Status(Reason::kBadRequest, "the peer does not keep to the protocol: " + std::string(what)); }

}  // namespace

struct Mux::WriteCredit {
  std::atomic<int64_t> bytes{static_cast<int64_t>(kStreamWindow)};
  std::atomic<bool> ended{false};
};

// Reaches a Mux from any thread: what is asked of it runs on its loop, unless it has been closed by then.
class MuxReach {
 public:
  MuxReach(std::weak_ptr<Mux> mux, Loop& loop) : mux_(std::move(mux)), loop_(loop) {}
  template <class Fn>
  void post(Fn fn) const {
    loop_.post([mux = mux_, fn = std::move(fn)] {
      if (auto m = mux.lock(); m && !m->closed_) fn(*m);
    });
  }

 private:
  std::weak_ptr<Mux> mux_;
  Loop& loop_;
};

// The opener's handle: every call becomes a frame.
class OpenedStream : public Stream {
 public:
  OpenedStream(std::weak_ptr<Mux> mux, Loop& loop, uint64_t id, std::shared_ptr<Mux::WriteCredit> credit)
      : mux_(std::move(mux), loop), id_(id), credit_(std::move(credit)) {}
  ~OpenedStream() override { cancel(); }

  void grant(uint64_t bytes) override {
    mux_.post([id = id_, bytes](Mux& mux) {
      auto it = mux.opened_.find(id);
      if (it == mux.opened_.end()) return;
      it->second.granted += static_cast<int64_t>(bytes);
      Frame f;
      f.type = FrameType::kGrant;
      f.stream = id;
      f.number = bytes;
      mux.send_control(std::move(f));
    });
  }
  bool write(uint32_t channel, Bytes data) override {
    if (credit_->ended || credit_->bytes.load() <= 0) return false;
    credit_->bytes -= cost(data.size());
    mux_.post([id = id_, channel, data = std::move(data)](Mux& mux) {
      if (mux.opened_.contains(id)) mux.enqueue_item(id, channel, data);
    });
    return true;
  }
  void half_close(uint32_t channel) override {
    mux_.post([id = id_, channel](Mux& mux) {
      if (!mux.opened_.contains(id)) return;
      Frame f;
      f.type = FrameType::kHalfClose;
      f.stream = id;
      f.channel = channel;
      mux.enqueue(std::move(f));
    });
  }
  bool control(Control kind, Bytes payload) override {
    mux_.post([id = id_, kind, payload = std::move(payload)](Mux& mux) {
      if (!mux.opened_.contains(id)) return;
      Frame f;
      f.type = FrameType::kControl;
      f.stream = id;
      f.number = static_cast<uint64_t>(kind);
      f.payload = payload;
      mux.enqueue(std::move(f));
    });
    return true;
  }
  void cancel() override {
    if (credit_->ended || cancelled_.exchange(true)) return;
    mux_.post([id = id_](Mux& mux) {
      if (!mux.opened_.contains(id)) return;
      Frame f;
      f.type = FrameType::kCancel;
      f.stream = id;
      mux.send_control(std::move(f));
    });
  }

 private:
  MuxReach mux_;
  uint64_t id_;
  std::shared_ptr<Mux::WriteCredit> credit_;
  std::atomic<bool> cancelled_{false};
};

// What an acceptor's producer calls.
class AcceptedSink : public StreamSink {
 public:
  AcceptedSink(std::weak_ptr<Mux> mux, Loop& loop, uint64_t id) : mux_(std::move(mux), loop), id_(id) {}
  void on_item(uint32_t channel, Bytes item) override {
    mux_.post([id = id_, channel, item = std::move(item)](Mux& mux) {
      if (mux.accepted_.contains(id)) mux.enqueue_item(id, channel, item);
    });
  }
  void on_writable(uint64_t bytes) override {
    mux_.post([id = id_, bytes](Mux& mux) {
      auto it = mux.accepted_.find(id);
      if (it == mux.accepted_.end()) return;
      it->second.writable += static_cast<int64_t>(bytes);
      Frame f;
      f.type = FrameType::kWritable;
      f.stream = id;
      f.number = bytes;
      mux.send_control(std::move(f));
    });
  }
  void on_end(Status status, Bytes result) override {
    mux_.post([id = id_, status = std::move(status), result = std::move(result)](Mux& mux) { mux.end_accepted(id, status, result); });
  }

 private:
  MuxReach mux_;
  uint64_t id_;
};

Mux::Mux(Loop& loop, bool odd, uint64_t epoch, Acceptor acceptor, std::function<void()> ready)
    : loop_(loop), epoch_(epoch), odd_(odd), acceptor_(std::move(acceptor)), ready_(std::move(ready)), next_id_(odd ? 1 : 2) {}

std::shared_ptr<Mux> Mux::make(Loop& loop, bool odd, uint64_t epoch, Acceptor acceptor, std::function<void()> ready) {
  return std::shared_ptr<Mux>(new Mux(loop, odd, epoch, std::move(acceptor), std::move(ready)));
}

Result<StreamPtr> Mux::open(std::string kind, Bytes arguments, SinkPtr sink, uint64_t initial) {
  if (arguments.size() > kDataBytesMax - 1024) return Status(Reason::kRequestEntityTooLarge, "the arguments of a call over the bus are limited to 59 KiB");
  const uint64_t id = next_id_.fetch_add(2);
  auto credit = std::make_shared<WriteCredit>();
  StreamPtr stream = std::make_unique<OpenedStream>(weak_from_this(), loop_, id, credit);
  loop_.post([self = shared_from_this(), id, kind = std::move(kind), arguments = std::move(arguments), sink = std::move(sink), credit, initial] {
    if (self->closed_) {
      credit->ended = true;
      return sink->on_end(self->closed_why_, {});
    }
    self->opened_.emplace(id, Opened{sink, credit, {}, static_cast<int64_t>(initial)});
    Frame f;
    f.type = FrameType::kOpen;
    f.stream = id;
    f.number = initial;
    f.text = kind;
    f.payload = arguments;
    self->send_control(std::move(f));  // credit and cancel, which go before bulk, must not overtake it
  });
  return stream;
}

void Mux::send_control(Frame frame) {
  if (frame.type == FrameType::kPong && control_.size() > kBacklogMax) return;  // it does not read: it shall be silent to us as well
  frame.epoch = epoch_;
  control_.push_back(std::move(frame));
  wake();
}

void Mux::enqueue(Frame frame) {
  frame.epoch = epoch_;
  const uint64_t id = frame.stream;
  Queue& queue = queues_[id];
  if (queue.frames.empty()) turns_.push_back(id);
  queue.frames.push_back(std::move(frame));
  wake();
}

void Mux::enqueue_item(uint64_t stream, uint32_t channel, const Bytes& item) {
  std::string_view rest = item.view();
  do {
    Frame f;
    f.type = FrameType::kData;
    f.stream = stream;
    f.channel = channel;
    std::string_view part = rest.substr(0, kDataBytesMax);
    rest.remove_prefix(part.size());
    f.more = !rest.empty();
    f.payload = part.size() == item.size() ? item : Bytes(part);
    enqueue(std::move(f));
  } while (!rest.empty());
}

void Mux::wake() {
  if (ready_) ready_();
}

bool Mux::next(std::string* out) {
  if (!control_.empty()) {
    *out = encode(control_.front());
    control_.pop_front();
    return true;
  }
  if (turns_.empty()) return false;
  const uint64_t id = turns_.front();
  turns_.pop_front();
  auto it = queues_.find(id);
  *out = encode(it->second.frames.front());
  it->second.frames.pop_front();
  if (it->second.frames.empty())
    queues_.erase(it);
  else
    turns_.push_back(id);
  return true;
}

void Mux::accept(const Frame& frame) {
  auto sink = std::make_shared<AcceptedSink>(weak_from_this(), loop_, frame.stream);
  if (accepted_.size() >= kStreamsMax) {
    accepted_.emplace(frame.stream, Accepted{});
    return end_accepted(frame.stream, Status(Reason::kTooManyRequests, "this session has too many streams open"), {});
  }
  // The entry stands before the acceptor runs: its producer may have something to say from another thread at once.
  accepted_.emplace(frame.stream, Accepted{nullptr, {}, static_cast<int64_t>(kStreamWindow)});
  auto stream = acceptor_(frame.text, frame.payload, sink);
  auto it = accepted_.find(frame.stream);
  if (it == accepted_.end()) return;
  if (!stream.ok()) return end_accepted(frame.stream, stream.status(), {});
  it->second.stream = *std::move(stream);
  if (frame.number) it->second.stream->grant(frame.number);
}

void Mux::end_accepted(uint64_t id, const Status& status, const Bytes& result) {
  auto it = accepted_.find(id);
  if (it == accepted_.end()) return;
  for (const auto& [channel, part] : it->second.partial) partial_bytes_ -= part.size();
  accepted_.erase(it);
  Frame f;
  f.type = FrameType::kEnd;
  f.stream = id;
  f.number = static_cast<uint64_t>(status.reason);
  f.text = status.message;
  f.payload = result;
  enqueue(std::move(f));
}

Status Mux::receive(const Frame& frame) {
  if (closed_ || frame.epoch != epoch_) return {};  // from before a reconnect
  const bool theirs = (frame.stream % 2 == 1) != odd_;
  switch (frame.type) {
    case FrameType::kOpen:
      if (!theirs || frame.stream == 0 || accepted_.contains(frame.stream)) return broken("a stream was opened under an id that is taken");
      if (control_.size() + queues_.size() > kBacklogMax) return broken("it opens streams and does not read their ends");
      accept(frame);
      return {};
    case FrameType::kData:
      return receive_data(frame);
    case FrameType::kGrant:
      if (auto it = accepted_.find(frame.stream); it != accepted_.end() && it->second.stream) it->second.stream->grant(frame.number);
      return {};
    case FrameType::kHalfClose:
      if (auto it = accepted_.find(frame.stream); it != accepted_.end() && it->second.stream) it->second.stream->half_close(frame.channel);
      return {};
    case FrameType::kControl:
      if (auto it = accepted_.find(frame.stream); it != accepted_.end() && it->second.stream)
        it->second.stream->control(static_cast<Control>(frame.number), frame.payload);
      return {};
    case FrameType::kCancel:
      if (auto it = accepted_.find(frame.stream); it != accepted_.end() && it->second.stream) it->second.stream->cancel();
      return {};
    case FrameType::kWritable:
      if (auto it = opened_.find(frame.stream); it != opened_.end()) {
        it->second.credit->bytes += static_cast<int64_t>(std::min<uint64_t>(frame.number, kItemBytesMax));
        SinkPtr sink = it->second.sink;
        sink->on_writable(frame.number);
      }
      return {};
    case FrameType::kEnd:
      if (auto it = opened_.find(frame.stream); it != opened_.end()) {
        SinkPtr sink = it->second.sink;
        it->second.credit->ended = true;
        for (const auto& [channel, part] : it->second.partial) partial_bytes_ -= part.size();
        opened_.erase(it);
        Reason reason = frame.number <= static_cast<uint64_t>(Reason::kCancelled) ? static_cast<Reason>(frame.number) : Reason::kInternalError;
        sink->on_end(reason == Reason::kOk ? Status() : Status(reason, frame.text), frame.payload);
      }
      return {};
    default:
      return broken("an unexpected frame");
  }
}

Status Mux::put_together(const Frame& frame, std::map<uint32_t, std::string>& partial, Bytes* item, bool* whole) {
  *whole = !frame.more;
  auto it = partial.find(frame.channel);
  if (!frame.more && it == partial.end()) {
    *item = frame.payload;
    return {};
  }
  if (it == partial.end()) it = partial.emplace(frame.channel, std::string()).first;
  if (partial.size() > 8 || partial_bytes_ + frame.payload.size() > 2 * kItemBytesMax || it->second.size() + frame.payload.size() > kItemBytesMax)
    return broken("an item is over 16 MiB");
  it->second += frame.payload.view();
  partial_bytes_ += frame.payload.size();
  if (frame.more) return {};
  *item = Bytes(it->second);
  partial_bytes_ -= item->size();
  partial.erase(it);
  return {};
}

// A stream that brings more than was granted ends, on both sides; the session, and what else runs over it, goes on.
Status Mux::overdrawn(uint64_t id) {
  const Status why = broken("data without credit");
  if (auto it = accepted_.find(id); it != accepted_.end()) {
    if (it->second.stream) it->second.stream->cancel();
    end_accepted(id, why, {});
    return {};
  }
  auto it = opened_.find(id);
  SinkPtr sink = it->second.sink;
  it->second.credit->ended = true;
  for (const auto& [channel, part] : it->second.partial) partial_bytes_ -= part.size();
  opened_.erase(it);
  Frame f;
  f.type = FrameType::kCancel;
  f.stream = id;
  send_control(std::move(f));
  sink->on_end(why, {});
  return {};
}

Status Mux::receive_data(const Frame& frame) {
  Bytes item;
  bool whole = false;
  if (auto it = opened_.find(frame.stream); it != opened_.end()) {
    if (it->second.granted <= 0) return overdrawn(it->first);
    LOTSE_CHECK_OK(put_together(frame, it->second.partial, &item, &whole));
    if (!whole) return {};
    it->second.granted -= cost(item.size());
    SinkPtr sink = it->second.sink;
    sink->on_item(frame.channel, std::move(item));
    return {};
  }
  auto it = accepted_.find(frame.stream);
  if (it == accepted_.end()) return {};  // it has just ended on this side
  if (it->second.writable <= 0) return overdrawn(it->first);
  LOTSE_CHECK_OK(put_together(frame, it->second.partial, &item, &whole));
  if (!whole) return {};
  it->second.writable -= cost(item.size());
  if (it->second.stream) it->second.stream->write(frame.channel, std::move(item));
  return {};
}

void Mux::close(const Status& why) {
  if (closed_) return;
  closed_ = true;
  closed_why_ = why;
  auto opened = std::move(opened_);
  auto accepted = std::move(accepted_);
  control_.clear();
  queues_.clear();
  turns_.clear();
  ready_ = nullptr;
  for (auto& [id, entry] : accepted)
    if (entry.stream) entry.stream->cancel();
  for (auto& [id, entry] : opened) {
    entry.credit->ended = true;
    entry.sink->on_end(why, {});
  }
}

}  // namespace lotse::bus
