#include "core/api/node_stream.h"

#include "core/api/server_impl.h"

namespace lotse::api {
namespace {

constexpr uint32_t kData = 0, kHead = 1;
constexpr uint64_t kFirstCredit = 4096;
constexpr size_t kPiece = 64 * 1024;

bool upgrades(const Request& r) {
  return std::any_of(r.headers.begin(), r.headers.end(), [](const auto& h) { return h.first == "Upgrade" || h.first == "upgrade"; });
}

// Between the agent's stream and the client's: remembers what came before the client opened.
class Relay : public StreamSink, public std::enable_shared_from_this<Relay> {
 public:
  Relay(CallPtr call, OnHead on_head, Bytes body)
      : call_(std::move(call)), loop_(call_->server.loop()), on_head_(std::move(on_head)), body_(std::move(body)), upgrades_(upgrades(call_->request)) {}

  // May come on another thread before open has returned: everything waits for the lock.
  Status open(Nodes& nodes, const std::string& node, std::string_view kind, Bytes arguments) {
    {
      std::lock_guard lock(mutex_);
      auto stream = nodes.open(node, kind, std::move(arguments), shared_from_this());
      if (!stream.ok()) return stream.status();
      upstream_ = *std::move(stream);
      upstream_->grant(kFirstCredit);
    }
    send_body();
    return {};
  }

  void on_item(uint32_t channel, Bytes item) override {
    SinkPtr to;
    {
      std::lock_guard lock(mutex_);
      if (!headed_) return head(channel, std::move(item));
      if (!client_) {
        early_.push_back(std::move(item));  // bounded by the first credit
        return;
      }
      to = client_;
    }
    to->on_item(kData, std::move(item));
  }
  void on_writable(uint64_t bytes) override {
    if (SinkPtr to = client()) return to->on_writable(bytes);
    loop_.post([self = shared_from_this()] { self->send_body(); });
  }
  void on_end(Status status, Bytes result) override {
    SinkPtr to;
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      end_ = status;
      if (!headed_) {
        headed_ = true;
        if (status.ok()) status = Status(Reason::kServiceUnavailable, "the node ended the stream before it began");
        return loop_.post([call = call_, status] { call->fail(status); });
      }
      to = client_;
    }
    if (to) to->on_end(std::move(status), std::move(result));
  }

  void attach(SinkPtr sink) {  // [loop] not from within the client's open
    std::vector<Bytes> early;
    bool ended = false;
    Status end;
    {
      std::lock_guard lock(mutex_);
      early = std::move(early_);
      ended = ended_;
      end = end_;
      if (!ended && early.empty()) {
        client_ = sink;
        return;
      }
    }
    for (auto& item : early) sink->on_item(kData, std::move(item));
    if (ended) return sink->on_end(std::move(end), {});
    {
      std::lock_guard lock(mutex_);
      if (!early_.empty() || ended_) {
        loop_.post([self = shared_from_this(), sink] { self->attach(sink); });
        return;
      }
      client_ = sink;
    }
  }

  void grant(uint64_t bytes) { with([&](Stream& s) { s.grant(bytes); }); }
  bool write(Bytes data) {
    bool taken = false;
    with([&](Stream& s) { taken = s.write(kData, std::move(data)); });
    return taken;
  }
  void half_close() { with([](Stream& s) { s.half_close(kData); }); }
  void cancel() { with([](Stream& s) { s.cancel(); }); }

 private:
  template <class Fn>
  void with(Fn fn) {
    std::lock_guard lock(stream_mutex_);
    if (upstream_) fn(*upstream_);
  }
  SinkPtr client() {
    std::lock_guard lock(mutex_);
    return client_;
  }
  void head(uint32_t channel, Bytes item) {  // [mutex_ held]
    headed_ = true;
    auto value = channel == kHead ? MsgValue::parse(item) : Result<MsgValue>(MsgValue::map());
    if (channel != kHead) early_.push_back(std::move(item));
    loop_.post([self = shared_from_this(), value] {
      if (!value.ok()) return self->call_->fail({Reason::kInternalError, "the node's answer cannot be read: " + value.status().message});
      Response r = self->on_head_(*value);
      r.stream = [self](SinkPtr sink) { return self->hand_over(std::move(sink)); };
      self->call_->reply(std::move(r));
    });
  }
  Result<StreamPtr> hand_over(SinkPtr sink);
  void send_body() {
    with([&](Stream& s) {
      while (sent_ < body_.size()) {
        const auto piece = body_.view().substr(sent_, kPiece);
        if (!s.write(kData, Bytes(piece))) return;
        sent_ += piece.size();
      }
      if (!std::exchange(body_ended_, true) && !upgrades_) s.half_close(kData);
    });
  }

  const CallPtr call_;
  Loop& loop_;
  const OnHead on_head_;
  const Bytes body_;
  const bool upgrades_;  // the client goes on writing after the answer
  size_t sent_ = 0;
  bool body_ended_ = false;
  std::mutex mutex_;
  std::mutex stream_mutex_;  // not held while the sink's functions run
  StreamPtr upstream_;
  SinkPtr client_;
  std::vector<Bytes> early_;
  bool headed_ = false, ended_ = false;
  Status end_;
};

class RelayStream : public Stream {
 public:
  explicit RelayStream(std::shared_ptr<Relay> relay) : relay_(std::move(relay)) {}
  ~RelayStream() override { relay_->cancel(); }
  void grant(uint64_t bytes) override { relay_->grant(bytes); }
  bool write(uint32_t, Bytes data) override { return relay_->write(std::move(data)); }
  void half_close(uint32_t) override { relay_->half_close(); }
  void cancel() override { relay_->cancel(); }

 private:
  std::shared_ptr<Relay> relay_;
};

Result<StreamPtr> Relay::hand_over(SinkPtr sink) {
  loop_.post([self = shared_from_this(), sink = std::move(sink)] { self->attach(sink); });
  return StreamPtr(new RelayStream(shared_from_this()));
}

}  // namespace

Result<MsgValue> pod_arguments(const ObjectPtr& pod) {
  const auto& h = pod->header();
  if (h.node_name.empty()) return Status(Reason::kBadRequest, "pod " + h.name + " does not have a host assigned");
  return MsgValue::map({{"uid", h.uid}, {"namespace", h.ns}, {"name", h.name}});
}

Result<std::string> choose_container(const ObjectPtr& pod, std::string_view wanted) {
  const json::Value v = pod->value();
  const json::Value& spec = v["spec"];
  std::string all, init;
  for (const auto& c : spec["containers"].items()) all += (all.empty() ? "" : " ") + std::string(c["name"].str());
  if (wanted.empty()) {
    const std::string_view chosen = v["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].str();
    if (!chosen.empty()) return std::string(chosen);
    if (spec["containers"].size() == 1) return all;
    for (const auto& c : spec["initContainers"].items()) init += (init.empty() ? "" : " ") + std::string(c["name"].str());
    std::string sentence = "a container name must be specified for pod " + pod->header().name + ", choose one of: [" + all + "]";
    if (!init.empty()) sentence += " or one of the init containers: [" + init + "]";
    return Status(Reason::kBadRequest, std::move(sentence));
  }
  for (const std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const auto& c : spec[list].items()) {
      if (c["name"].str() == wanted) return std::string(wanted);
    }
  }
  return Status(Reason::kBadRequest, "container " + std::string(wanted) + " is not valid for pod " + pod->header().name);
}

void reply_with_stream(const CallPtr& call, const std::string& node, std::string_view kind, const MsgValue& arguments, Bytes body,
                       OnHead head) {
  Nodes* nodes = call->server.nodes();
  if (!nodes) return call->fail({Reason::kServiceUnavailable, "this server has no way to the nodes yet"});
  auto relay = std::make_shared<Relay>(call, std::move(head), std::move(body));
  if (auto s = relay->open(*nodes, node, kind, Bytes(arguments.encode())); !s.ok()) call->fail(std::move(s));
}

}  // namespace lotse::api
