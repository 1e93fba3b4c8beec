#include <set>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/msgpack.h"
#include "core/base/run_on.h"
#include "core/bus/api_stream.h"
#include "core/bus/bus.h"
#include "core/bus/session.h"
#include "core/bus/socket.h"
#include "core/bus/zap.h"

namespace lotse::bus {
namespace {

constexpr Duration kSilenceMax = std::chrono::seconds(35);  // a worker pings every 10 s
constexpr int kJoinsPerSecondMax = 10;
constexpr size_t kJoinBytesMax = 4096;

class BusMaster : public Master, public std::enable_shared_from_this<BusMaster> {
 public:
  BusMaster(Context& context, Config config, api::Handler& handler, std::shared_ptr<Registry> registry, std::function<void(const std::string&)> on_ping)
      : context_(context), loop_(context.loop()), config_(std::move(config)), handler_(handler), registry_(std::move(registry)), on_ping_(std::move(on_ping)) {}

  // [bus loop]
  Status begin() {
    Zap::Rules rules;
    rules["bus"] = [registry = registry_](const std::string& key, const std::string&) { return registry->node_of(key).has_value(); };
    rules["join"] = [this](const std::string&, const std::string&) { return join_allowed(); };
    zap_ = std::make_unique<Zap>(context_, std::move(rules));
    LOTSE_CHECK_OK(zap_->status());
    local_ = std::make_unique<Socket>(context_, Socket::Kind::kRouter);
    local_->limits(kFrameBytesMax, 256);
    LOTSE_CHECK_OK(local_->bind(kLocalEndpoint));
    serve(*local_, true);
    if (config_.listen.empty()) return {};
    remote_ = std::make_unique<Socket>(context_, Socket::Kind::kRouter);
    remote_->curve_server(config_.keys, "bus");
    remote_->limits(kFrameBytesMax, 256);
    LOTSE_CHECK_OK(remote_->bind(config_.listen, &endpoint_));
    serve(*remote_, false);
    join_ = std::make_unique<Socket>(context_, Socket::Kind::kRouter);
    join_->curve_server(config_.keys, "join");
    join_->limits(kJoinBytesMax, 64);
    LOTSE_CHECK_OK(join_->bind(join_endpoint(endpoint_)));
    join_->start(loop_, [this](Message m) { join_request(m); }, [] {});
    return {};
  }

  // [bus loop]
  void end() {
    const Status why(Reason::kServiceUnavailable, "the master is stopping");
    while (!sessions_.empty()) drop(sessions_.begin()->second, why);
    join_.reset();
    remote_.reset();
    local_.reset();
    zap_.reset();
  }

  Result<StreamPtr> open(const std::string& node, std::string_view kind, Bytes arguments, SinkPtr sink) override {
    std::shared_ptr<Mux> mux;
    {
      std::lock_guard lock(mutex_);
      if (auto it = by_node_.find(node); it != by_node_.end()) mux = it->second;
    }
    if (!mux) return Status(Reason::kServiceUnavailable, "the node " + node + " has no session with this master");
    return mux->open(std::string(kind), std::move(arguments), std::move(sink));
  }
  bool connected(const std::string& node) const override {
    std::lock_guard lock(mutex_);
    return by_node_.contains(node);
  }
  std::vector<std::string> nodes() const override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [node, mux] : by_node_) out.push_back(node);
    return out;
  }
  std::string endpoint() const override { return endpoint_; }
  void close() override {
    run_on(loop_, [this] { end(); });
  }
  void set_masters(std::vector<MasterAddress> masters) override {
    loop_.post([weak = weak_from_this(), masters = std::move(masters)]() mutable {
      auto self = weak.lock();
      if (!self) return;
      self->config_.masters = std::move(masters);
      for (auto& [key, session] : self->sessions_) session->mux->send_control(self->welcome_of(*session));
    });
  }

 private:
  struct Session {
    Socket* socket;
    std::string peer, key, node, address;
    std::shared_ptr<Mux> mux;
    std::unique_ptr<Sender> sender;
    SteadyTime heard{};
    Handle silence;
  };
  using SessionPtr = std::shared_ptr<Session>;
  using SessionKey = std::pair<Socket*, std::string>;

  void serve(Socket& socket, bool local) {
    socket.start(loop_, [this, &socket, local](Message m) { message(socket, local, std::move(m)); },
                 [this, &socket] {
                   for (auto& [key, session] : sessions_)
                     if (key.first == &socket) session->sender->pump();
                 });
  }

  // Who speaks is what ZAP said of this very message, never what it says of itself.
  std::optional<std::string> speaker(bool local, const Message& m, const std::string& claimed) const {
    if (!local) return registry_->node_of(m.user);
    if (config_.local_node.empty()) return std::nullopt;
    // Agents of this process: the node itself, and hollow nodes named after it.
    if (claimed == config_.local_node || claimed.starts_with(config_.local_node + "-hollow-")) return claimed;
    return std::nullopt;
  }

  void message(Socket& socket, bool local, Message m) {
    auto frame = decode(m.body);
    auto it = sessions_.find({&socket, m.peer});
    SessionPtr session = it == sessions_.end() ? nullptr : it->second;
    if (!frame.ok()) {
      log::warn("bus.bad_frame", "a frame was refused", {{"address", m.address}, {"reason", frame.status().message}});
      if (session) drop(session, frame.status());
      return;
    }
    if (frame->type == FrameType::kHello) return hello(socket, local, m, *frame);
    if (!session) return reset(socket, m.peer, *frame, "there is no session: say hello");
    if (frame->epoch != session->mux->epoch()) return;
    if (!local && registry_->node_of(m.user) != session->node) {
      reset(socket, m.peer, *frame, "this node is no longer part of the cluster", kResetUnknownKey);
      return drop(session, Status(Reason::kServiceUnavailable, "the node was removed"));
    }
    session->heard = loop_.clock().steady();
    if (frame->type == FrameType::kPing) {
      Frame pong;
      pong.type = FrameType::kPong;
      pong.number = frame->number;
      session->mux->send_control(std::move(pong));
      if (on_ping_ && !frame->more) on_ping_(session->node);  // else another master hears it as well, and is the one that is asked
      return;
    }
    Status status = session->mux->receive(*frame);
    if (status.ok()) return;
    log::warn("bus.session_broken", "a session was ended", {{"node", session->node}, {"reason", status.message}});
    reset(socket, m.peer, *frame, status.message);
    drop(session, status);
  }

  void hello(Socket& socket, bool local, const Message& m, const Frame& frame) {
    auto v = MsgValue::parse(frame.payload.view(), MsgLimits{3, kFrameBytesMax, 64});
    if (!v.ok()) return;
    auto node = speaker(local, m, std::string((*v)["node"].as_text()));
    if (!node) return reset(socket, m.peer, frame, "this key belongs to no node of this cluster", kResetUnknownKey);
    if ((*v)["protocol"].as_int() != kProtocol)
      return reset(socket, m.peer, frame, "this master speaks version 1 of the bus, the worker version " + std::to_string((*v)["protocol"].as_int()));
    std::vector<SessionPtr> old;
    for (auto& [key, session] : sessions_)
      if (session->node == *node) old.push_back(session);
    for (auto& session : old) drop(session, Status(Reason::kServiceUnavailable, "the node has begun a new session"));

    auto session = std::make_shared<Session>();
    session->socket = &socket;
    session->peer = m.peer;
    session->key = m.user;
    session->node = *node;
    session->address = local ? "in-process" : m.address;
    auto user = std::make_shared<const security::User>(security::node_user(*node));
    session->mux = Mux::make(
        loop_, false, frame.epoch,
        [this, user, address = session->address](const std::string& kind, Bytes arguments, SinkPtr sink) -> Result<StreamPtr> {
          if (kind == "api") return accept_request(handler_, loop_, user, address, std::move(arguments), std::move(sink));
          return Status(Reason::kNotFound, "a master offers no streams of the kind " + kind);
        },
        [weak = std::weak_ptr<Session>(session)] {
          if (auto s = weak.lock()) s->sender->pump();
        });
    session->sender = std::make_unique<Sender>(loop_, *session->mux, [&socket, peer = m.peer](const std::string& f) { return socket.send(peer, f); },
                                               [this, weak = std::weak_ptr<Session>(session)] {
                                                 if (auto s = weak.lock()) drop(s, Status(Reason::kServiceUnavailable, "the node has gone"));
                                               });
    sessions_[{&socket, m.peer}] = session;
    {
      std::lock_guard lock(mutex_);
      by_node_[*node] = session->mux;
    }
    session->mux->send_control(welcome_of(*session));
    session->heard = loop_.clock().steady();
    watch_silence(session);
    log::info("bus.session_began", "a worker has connected", {{"node", *node}, {"address", session->address}});
    if (on_ping_) on_ping_(*node);
  }

  Frame welcome_of(const Session& session) const {
    Frame welcome;
    welcome.type = FrameType::kWelcome;
    welcome.payload = Bytes(MsgValue::map({{"cluster_id", config_.cluster_id}, {"node", session.node}, {"self", config_.keys.public_z85}, {"masters", masters_out(config_.masters)},
                                           {"cluster", MsgValue::bin(config_.cluster.view())}}).encode());
    return welcome;
  }

  void watch_silence(const SessionPtr& session) {
    const Duration quiet = loop_.clock().steady() - session->heard;
    session->silence = loop_.after(std::max<Duration>(kSilenceMax - quiet, std::chrono::seconds(1)), [this, weak = std::weak_ptr<Session>(session)] {
      auto s = weak.lock();
      if (!s) return;
      if (loop_.clock().steady() - s->heard >= kSilenceMax) return drop(s, Status(Reason::kServiceUnavailable, "the node is silent"));
      watch_silence(s);
    });
  }

  void drop(SessionPtr session, const Status& why) {
    auto it = sessions_.find({session->socket, session->peer});
    if (it == sessions_.end() || it->second != session) return;
    sessions_.erase(it);
    {
      std::lock_guard lock(mutex_);
      auto node = by_node_.find(session->node);
      if (node != by_node_.end() && node->second == session->mux) by_node_.erase(node);
    }
    session->silence.reset();
    session->mux->close(why);
    log::info("bus.session_ended", "a worker's session has ended", {{"node", session->node}, {"reason", why.message}});
  }

  void reset(Socket& socket, const std::string& peer, const Frame& about, const std::string& why, uint64_t number = 0) {
    Frame f;
    f.type = FrameType::kReset;
    f.number = number;
    f.epoch = about.epoch;
    f.text = why;
    socket.send(peer, encode(f));
  }

  // ---- joining ----
  bool join_allowed() {
    const auto now = loop_.clock().steady();
    if (now - join_second_ >= std::chrono::seconds(1)) {
      join_second_ = now;
      joins_ = 0;
    }
    return ++joins_ <= kJoinsPerSecondMax;
  }

  void join_request(const Message& m) {
    auto v = MsgValue::parse(m.body, MsgLimits{2, kJoinBytesMax, 16});
    if (!v.ok()) return;
    std::string node((*v)["node"].as_text()), token((*v)["token"].as_text());
    const bool master = (*v)["master"].as_bool();
    auto answer = [weak = weak_from_this(), peer = m.peer](Result<Bytes> keys) {
      auto self = weak.lock();
      if (!self) return;
      self->loop_.post([self, peer, keys] {
        if (!self->join_) return;
        MsgValue out = MsgValue::map({{"ok", keys.ok()}, {"message", keys.status().message}});
        if (keys.ok()) {
          out.set("cluster", MsgValue::bin(self->config_.cluster.view()));
          out.set("masters", masters_out(self->config_.masters));
          if (!keys->empty()) out.set("keys", MsgValue::bin(keys->view()));
        }
        self->join_->send(peer, out.encode());
      });
    };
    if (!valid_node_name(node)) return answer(Status(Reason::kBadRequest, "a node's name is a DNS name in lower case, of at most 253 characters"));
    log::info("bus.join_asked", master ? "a master asks to join" : "a worker asks to join", {{"node", node}, {"address", m.address}});
    if (!master) return registry_->join(token, node, m.user, [answer](Status status) { status.ok() ? answer(Bytes()) : answer(std::move(status)); });
    if (!config_.admit_master) return answer(Status(Reason::kBadRequest, "this master's store is its own, so there can be no other: several masters need a state backend that they share (etcd)"));
    config_.admit_master(token, node, m.user, answer);
  }

  Context& context_;
  Loop& loop_;
  Config config_;
  api::Handler& handler_;
  std::shared_ptr<Registry> registry_;
  std::function<void(const std::string&)> on_ping_;
  std::unique_ptr<Zap> zap_;
  std::unique_ptr<Socket> local_, remote_, join_;
  std::string endpoint_;
  std::map<SessionKey, SessionPtr> sessions_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Mux>> by_node_;
  SteadyTime join_second_{};
  int joins_ = 0;
};

// The owner's handle: what ends the master on its own loop.
class MasterHandle : public Master {
 public:
  explicit MasterHandle(std::shared_ptr<BusMaster> master) : master_(std::move(master)) {}
  ~MasterHandle() override { close(); }
  void close() override { master_->close(); }
  Result<StreamPtr> open(const std::string& node, std::string_view kind, Bytes arguments, SinkPtr sink) override {
    return master_->open(node, kind, std::move(arguments), std::move(sink));
  }
  bool connected(const std::string& node) const override { return master_->connected(node); }
  std::vector<std::string> nodes() const override { return master_->nodes(); }
  std::string endpoint() const override { return master_->endpoint(); }
  void set_masters(std::vector<MasterAddress> masters) override { master_->set_masters(std::move(masters)); }

 private:
  std::shared_ptr<BusMaster> master_;
};

}  // namespace

Result<std::unique_ptr<Master>> Master::start(Context& context, Config config, api::Handler& handler, std::shared_ptr<Registry> registry,
                                              std::function<void(const std::string&)> on_ping) {
  auto master = std::make_shared<BusMaster>(context, std::move(config), handler, std::move(registry), std::move(on_ping));
  auto handle = std::make_unique<MasterHandle>(master);
  Status status;
  run_on(context.loop(), [&] { status = master->begin(); });
  if (!status.ok()) return status;
  return std::unique_ptr<Master>(std::move(handle));
}

}  // namespace lotse::bus
