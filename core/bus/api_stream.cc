#include "core/bus/api_stream.h"

#include "core/base/msgpack.h"

namespace lotse::bus {
namespace {

constexpr uint32_t kBody = 0, kHead = 1;
constexpr uint64_t kAnswerWindow = 4 * 1024 * 1024;

using Pairs = std::vector<std::pair<std::string, std::string>>;

MsgValue from_pairs(const Pairs& pairs) {
  MsgValue out = MsgValue::array();
  for (const auto& [k, v] : pairs) out.push(MsgValue::array({k, v}));
  return out;
}
Pairs to_pairs(const MsgValue& v) {
  Pairs out;
  for (const auto& item : v.items())
    if (item.items().size() == 2) out.emplace_back(item.items()[0].as_text(), item.items()[1].as_text());
  return out;
}

// ---- the master's end ----

// Collects the body, asks the handler, and sends what it answers as far as credit goes. Everything on the bus loop.
class RequestCall : public std::enable_shared_from_this<RequestCall> {
 public:
  RequestCall(api::Handler& handler, Loop& loop, api::Request request, SinkPtr sink)
      : handler_(handler), loop_(loop), request_(std::move(request)), sink_(std::move(sink)) {}

  void grant(uint64_t bytes) {
    credit_ += static_cast<int64_t>(bytes);
    if (!stream_) return pump();
    if (credit_ <= 0) return;  // the head took more than there was
    stream_->grant(static_cast<uint64_t>(std::exchange(credit_, 0)));
  }
  bool write(uint32_t channel, Bytes data) {
    if (stream_) return stream_->write(channel, std::move(data));
    if (asked_ || channel != kBody) return false;
    body_ += data.view();
    if (body_.size() > kBodyBytesMax) {
      end(Status(Reason::kRequestEntityTooLarge, "the body of a request is limited to 3 MiB"));
      return true;
    }
    sink_->on_writable(data.size());
    return true;
  }
  void half_close(uint32_t channel) {
    if (stream_) return stream_->half_close(channel);
    if (asked_ || ended_) return;
    asked_ = true;
    request_.body = Bytes(body_);
    body_.clear();
    handler_.handle(std::move(request_), [self = shared_from_this()](api::Response response) {
      self->loop_.post([self, response = std::move(response)]() mutable { self->answer(std::move(response)); });
    });
  }
  void cancel() {
    if (stream_) return stream_->cancel();
    end(Status(Reason::kCancelled, "the worker gave up"));
  }

 private:
  // A stream's items go straight to the session; its end is the call's end.
  class Forward : public StreamSink {
   public:
    explicit Forward(SinkPtr sink) : sink_(std::move(sink)) {}
    void on_item(uint32_t channel, Bytes item) override { sink_->on_item(channel, std::move(item)); }
    void on_writable(uint64_t bytes) override { sink_->on_writable(bytes); }
    void on_end(Status status, Bytes result) override { sink_->on_end(std::move(status), std::move(result)); }

   private:
    SinkPtr sink_;
  };

  void answer(api::Response response) {
    if (ended_) return;
    MsgValue head = MsgValue::map({{"status", response.status}, {"ct", response.content_type}});
    if (!response.headers.empty()) head.set("headers", from_pairs(response.headers));
    if (response.stream) head.set("streams", true);
    Bytes first(head.encode());
    credit_ -= static_cast<int64_t>(first.size());
    sink_->on_item(kHead, std::move(first));
    if (!response.stream) {
      parts_ = std::move(response.body);
      answered_ = true;
      return pump();
    }
    ended_ = true;  // from here on the end is the stream's
    auto stream = response.stream(std::make_shared<Forward>(sink_));
    if (!stream.ok()) return sink_->on_end(stream.status(), {});
    stream_ = *std::move(stream);
    grant(0);
  }

  void pump() {
    if (!answered_ || ended_) return;
    while (next_ < parts_.size() && credit_ > 0) {
      // Small parts (spliced revisions, commas) travel together.
      std::string_view first = parts_[next_].view();
      Bytes item = parts_[next_++];
      if (first.size() < kDataBytesMax / 4 && next_ < parts_.size()) {
        std::string joined(first);
        while (next_ < parts_.size() && joined.size() + parts_[next_].size() <= kDataBytesMax) joined += parts_[next_++].view();
        item = Bytes(joined);
      }
      credit_ -= static_cast<int64_t>(item.size() ? item.size() : 1);
      sink_->on_item(kBody, std::move(item));
    }
    if (next_ == parts_.size()) end({});
  }

  void end(Status status) {
    if (ended_) return;
    ended_ = true;
    parts_.clear();
    sink_->on_end(std::move(status), {});
  }

  api::Handler& handler_;
  Loop& loop_;
  api::Request request_;
  SinkPtr sink_;
  std::string body_;
  std::vector<Bytes> parts_;
  size_t next_ = 0;
  int64_t credit_ = 0;
  bool asked_ = false, answered_ = false, ended_ = false;
  StreamPtr stream_;
};

class RequestStream : public Stream {
 public:
  explicit RequestStream(std::shared_ptr<RequestCall> call) : call_(std::move(call)) {}
  ~RequestStream() override { call_->cancel(); }
  void grant(uint64_t bytes) override { call_->grant(bytes); }
  bool write(uint32_t channel, Bytes data) override { return call_->write(channel, std::move(data)); }
  void half_close(uint32_t channel) override { call_->half_close(channel); }
  void cancel() override { call_->cancel(); }

 private:
  std::shared_ptr<RequestCall> call_;
};

// ---- the worker's end ----

class AnswerSink;
// The Stream of a streaming answer: the session's stream under the caller's feet.
class AnswerStream : public Stream {
 public:
  explicit AnswerStream(std::shared_ptr<AnswerSink> sink) : sink_(std::move(sink)) {}
  ~AnswerStream() override;
  void grant(uint64_t bytes) override;
  bool write(uint32_t channel, Bytes data) override;
  void half_close(uint32_t channel) override;
  void cancel() override;

 private:
  std::shared_ptr<AnswerSink> sink_;
};

class AnswerSink : public StreamSink, public std::enable_shared_from_this<AnswerSink> {
 public:
  AnswerSink(Bytes body, api::Respond respond) : body_(std::move(body)), respond_(std::move(respond)) {}

  // The lock is held while the stream opens, so that nothing of it is seen before stream_ is there.
  Status start(Mux& mux, Bytes arguments, uint64_t credit) {
    {
      std::lock_guard lock(mutex_);
      auto stream = mux.open("api", std::move(arguments), shared_from_this(), credit);
      if (!stream.ok()) return stream.status();
      stream_ = *std::move(stream);
    }
    pump();
    return {};
  }
  void on_writable(uint64_t bytes) override {
    SinkPtr to = target();
    if (to) return to->on_writable(bytes);
    pump();
  }
  void on_item(uint32_t channel, Bytes item) override {
    if (SinkPtr to = target()) return to->on_item(channel, std::move(item));
    if (channel == kHead && !have_head_) return head(item);
    response_.body.push_back(item);
    received_ += item.size();
    if (received_ > 4 * kItemBytesMax) return stream_->cancel();  // a list is asked for in pages
    stream_->grant(item.size() ? item.size() : 1);
  }
  void on_end(Status status, Bytes result) override {
    SinkPtr to = target();
    api::Respond respond;
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      end_status_ = status;
      respond = std::move(respond_);
      respond_ = nullptr;
    }
    if (to) return to->on_end(std::move(status), std::move(result));
    if (respond) respond(status.ok() && have_head_ ? std::move(response_) : api::status_response(status.ok() ? Status(Reason::kServiceUnavailable, "the answer broke off") : status));
  }
  Stream* stream() { return stream_.get(); }

 private:
  SinkPtr target() {
    std::lock_guard lock(mutex_);
    return to_;
  }
  void head(const Bytes& item) {
    auto v = MsgValue::parse(item.view());
    if (!v.ok()) return stream_->cancel();
    have_head_ = true;
    response_.status = static_cast<int>((*v)["status"].as_int(500));
    response_.content_type = (*v)["ct"].as_text();
    response_.headers = to_pairs((*v)["headers"]);
    if (!(*v)["streams"].as_bool()) return;
    api::Response out = std::move(response_);
    api::Respond respond;
    {
      std::lock_guard lock(mutex_);
      respond = std::move(respond_);
      respond_ = nullptr;
    }
    // An answer that is dropped unopened gives its stream up.
    std::shared_ptr<AnswerSink> unopened(this, [keep = shared_from_this()](AnswerSink* sink) {
      if (!sink->target()) sink->stream()->cancel();
    });
    out.stream = [self = shared_from_this(), unopened](SinkPtr to) -> Result<StreamPtr> {
      {
        std::lock_guard lock(self->mutex_);
        if (self->ended_ && !self->end_status_.ok()) return self->end_status_;
        if (self->ended_) return Status(Reason::kServiceUnavailable, "the stream has ended already");
        self->to_ = std::move(to);
      }
      return StreamPtr(std::make_unique<AnswerStream>(self));
    };
    if (respond) respond(std::move(out));
  }
  // Writes the body as far as credit goes; from the caller's thread at first, then from the loop.
  void pump() {
    std::lock_guard lock(mutex_);
    if (!stream_ || body_done_) return;
    while (offset_ < body_.size()) {
      std::string_view part = body_.view().substr(offset_, kDataBytesMax);
      if (!stream_->write(kBody, Bytes(part))) return;
      offset_ += part.size();
    }
    body_done_ = true;
    body_ = Bytes();
    stream_->half_close(kBody);
  }

  std::mutex mutex_;
  StreamPtr stream_;
  Bytes body_;
  size_t offset_ = 0, received_ = 0;
  bool body_done_ = false, have_head_ = false, ended_ = false;
  Status end_status_;
  api::Respond respond_;
  api::Response response_;
  SinkPtr to_;
};

AnswerStream::~AnswerStream() { sink_->stream()->cancel(); }
void AnswerStream::grant(uint64_t bytes) { sink_->stream()->grant(bytes); }
bool AnswerStream::write(uint32_t channel, Bytes data) { return sink_->stream()->write(channel, std::move(data)); }
void AnswerStream::half_close(uint32_t channel) { sink_->stream()->half_close(channel); }
void AnswerStream::cancel() { sink_->stream()->cancel(); }

}  // namespace

Result<StreamPtr> accept_request(api::Handler& handler, Loop& loop, std::shared_ptr<const security::User> user, std::string_view remote,
                                 Bytes arguments, SinkPtr sink) {
  LOTSE_TRY(MsgValue v, MsgValue::parse(arguments.view(), MsgLimits{6, kFrameBytesMax, 4096}));
  api::Request r;
  const int64_t verb = v["verb"].as_int();
  if (verb < 1 || verb > static_cast<int64_t>(api::Verb::kOptions)) return Status(Reason::kBadRequest, "the request has no verb");
  r.verb = static_cast<api::Verb>(verb);
  for (auto [key, to] : {std::pair{"group", &r.group}, {"version", &r.version}, {"resource", &r.resource}, {"ns", &r.ns}, {"name", &r.name},
                         {"sub", &r.subresource}, {"path", &r.path}, {"method", &r.method}, {"ct", &r.content_type}, {"accept", &r.accept}, {"ua", &r.user_agent}})
    *to = v[key].as_text();
  r.options = to_pairs(v["options"]);
  r.headers = to_pairs(v["headers"]);
  r.peer.trusted = std::move(user);
  r.peer.remote_address = remote;
  return StreamPtr(std::make_unique<RequestStream>(std::make_shared<RequestCall>(handler, loop, std::move(r), std::move(sink))));
}

void send_request(Mux& mux, api::Request r, api::Respond respond) {
  MsgValue v = MsgValue::map({{"verb", static_cast<int>(r.verb)}});
  for (auto [key, from] : {std::pair{"group", &r.group}, {"version", &r.version}, {"resource", &r.resource}, {"ns", &r.ns}, {"name", &r.name},
                           {"sub", &r.subresource}, {"path", &r.path}, {"method", &r.method}, {"ct", &r.content_type}, {"accept", &r.accept}, {"ua", &r.user_agent}})
    if (!from->empty()) v.append(key, *from);
  if (!r.options.empty()) v.append("options", from_pairs(r.options));
  if (!r.headers.empty()) v.append("headers", from_pairs(r.headers));
  // A stream's items wait until somebody has opened it: one byte of credit brings the head only.
  const bool streams = r.verb == api::Verb::kWatch || r.verb == api::Verb::kConnect;
  auto sink = std::make_shared<AnswerSink>(r.body, respond);
  Status status = sink->start(mux, Bytes(v.encode()), streams ? 1 : kAnswerWindow);
  if (!status.ok()) respond(api::status_response(status));
}

}  // namespace lotse::bus
