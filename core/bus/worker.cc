#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/msgpack.h"
#include "core/base/run_on.h"
#include "core/bus/api_stream.h"
#include "core/bus/bus.h"
#include "core/bus/session.h"
#include "core/bus/socket.h"

namespace lotse::bus {
namespace {

constexpr Duration kRetryFirst = std::chrono::milliseconds(200), kRetryLast = std::chrono::seconds(5);
constexpr Duration kHelloPatience = std::chrono::seconds(10);

std::vector<MasterAddress> read_masters(const MsgValue& list) {
  std::vector<MasterAddress> out;
  for (const auto& item : list.items()) {
    MasterAddress m{item["a"].as_strings(), std::string(item["k"].as_text())};
    if (!m.endpoints.empty() && m.public_z85.size() == 40) out.push_back(std::move(m));
  }
  return out;
}

uint64_t make_epoch() {
  uint64_t epoch = 0;
  fill_random({reinterpret_cast<uint8_t*>(&epoch), sizeof epoch});
  return epoch >> 1 | 1;
}

// One session at a time: connect, hello, welcome, then streams; on silence or a reset the socket is thrown away and a new session, with
// a new epoch, begins. Everything on the bus loop but handle().
class BusWorker : public std::enable_shared_from_this<BusWorker> {
 public:
  BusWorker(Context& context, Worker::Config config, Mux::Acceptor calls, Worker::Events events)
      : context_(context), loop_(context.loop()), config_(std::move(config)), calls_(std::move(calls)), events_(std::move(events)) {}

  void begin() { connect(); }

  void end() {
    ended_ = true;
    lose(Status(Reason::kServiceUnavailable, "the worker is stopping"), false);
    events_ = {};
    calls_ = nullptr;
  }

  void set_masters(std::vector<MasterAddress> masters) {
    if (ended_) return;
    config_.masters = std::move(masters);
    attempt_ = 0;
    wait_ = kRetryFirst;
    lose(Status(Reason::kServiceUnavailable, "the masters' addresses have changed"), true);
  }

  void handle(api::Request request, api::Respond respond) {
    std::shared_ptr<Mux> mux;
    {
      std::lock_guard lock(mutex_);
      mux = ready_mux_;
    }
    if (!mux) return respond(api::status_response(Status(Reason::kServiceUnavailable, "there is no session with a master")));
    send_request(*mux, std::move(request), std::move(respond));
  }

 private:
  void connect() {
    if (ended_) return;
    socket_ = std::make_unique<Socket>(context_, Socket::Kind::kDealer);
    socket_->limits(kFrameBytesMax, 256);
    endpoint_ = kLocalEndpoint;
    if (!config_.masters.empty()) {
      choose_master();
      socket_->watch_link(loop_, [this](Socket::Link link) { link_changed(link); });
    }
    Status status = socket_->connect(endpoint_);
    if (!status.ok()) return lose(status, true);
    mux_ = Mux::make(loop_, true, make_epoch(), calls_, [weak = weak_from_this()] {
      if (auto self = weak.lock(); self && self->sender_) self->sender_->pump();
    });
    sender_ = std::make_unique<Sender>(loop_, *mux_, [this](const std::string& f) { return socket_->send("", f); },
                                       [this] { lose(Status(Reason::kServiceUnavailable, "the master has gone"), true); });
    socket_->start(loop_, [this](Message m) { message(m); }, [this] { sender_->pump(); });
    Frame hello;
    hello.type = FrameType::kHello;
    hello.payload = Bytes(MsgValue::map({{"protocol", kProtocol}, {"node", config_.node}, {"version", config_.version}}).encode());
    mux_->send_control(std::move(hello));
    timer_ = loop_.after(kHelloPatience, [this] { lose(Status(Reason::kServiceUnavailable, "the master does not answer"), true); });
  }

  // The addresses of all masters in turn.
  void choose_master() {
    size_t at = attempt_ % addresses();
    for (const auto& m : config_.masters) {
      if (at < m.endpoints.size()) {
        socket_->curve_client(config_.keys, m.public_z85);
        master_key_ = m.public_z85;
        endpoint_ = m.endpoints[at];
        return;
      }
      at -= m.endpoints.size();
    }
  }

  size_t addresses() const {
    size_t count = 0;
    for (const auto& m : config_.masters) count += m.endpoints.size();
    return std::max<size_t>(count, 1);
  }

  // A connection that ends is seen at once. Where nobody listens ZeroMQ goes on knocking: that is right for an only address.
  void link_changed(Socket::Link link) {
    if (link == Socket::Link::kRefused) return refused("this key belongs to no node of this cluster");
    if (link == Socket::Link::kUnreachable && (connected_ || addresses() < 2)) return;
    lose(Status(Reason::kServiceUnavailable, link == Socket::Link::kClosed ? "the connection to the master has ended" : "the master cannot be reached"), true);
  }

  void refused(const std::string& why) {
    lose(Status(Reason::kServiceUnavailable, "the master says: " + why), true);
    if (events_.refused) events_.refused(why);
  }

  void message(const Message& m) {
    if (!mux_) return;  // of a socket that is about to be closed
    auto frame = decode(m.body);
    if (!frame.ok()) return lose(frame.status(), true);
    if (frame->epoch != mux_->epoch()) return;
    heard_ = loop_.clock().steady();
    switch (frame->type) {
      case FrameType::kWelcome: return welcome(*frame);
      case FrameType::kReset:
        if (frame->number == kResetUnknownKey) return refused(frame->text);
        return lose(Status(Reason::kServiceUnavailable, "the master says: " + frame->text), true);
      case FrameType::kPong: return;
      default: break;
    }
    Status status = mux_->receive(*frame);
    if (!status.ok()) lose(status, true);
  }

  void welcome(const Frame& frame) {
    auto v = MsgValue::parse(frame.payload.view());
    if (!v.ok()) return lose(v.status(), true);
    wait_ = kRetryFirst;
    {
      std::lock_guard lock(mutex_);
      ready_mux_ = mux_;
    }
    connected_ = true;
    log::info("bus.connected", "there is a session with a master", {{"node", config_.node}});
    schedule_ping();
    if (!config_.masters.empty()) learn_masters((*v)["masters"]);
    if (events_.connected) events_.connected({Bytes((*v)["cluster"].as_text()), config_.masters});
  }

  // The address that has just worked comes first and stays known: what a master knows of its addresses may not be all.
  void learn_masters(const MsgValue& told) {
    auto masters = read_masters(told);
    if (masters.empty()) return;
    auto here = std::find_if(masters.begin(), masters.end(), [&](const MasterAddress& m) { return m.public_z85 == master_key_; });
    if (here == masters.end()) here = masters.insert(masters.begin(), MasterAddress{{}, master_key_});
    std::erase(here->endpoints, endpoint_);
    here->endpoints.insert(here->endpoints.begin(), endpoint_);
    std::rotate(masters.begin(), here, here + 1);
    config_.masters = std::move(masters);
    attempt_ = 0;
  }

  void schedule_ping() {
    timer_ = loop_.after(config_.ping_period, [this] {
      if (loop_.clock().steady() - heard_ > config_.silence_max) return lose(Status(Reason::kServiceUnavailable, "the master is silent"), true);
      Frame ping;
      ping.type = FrameType::kPing;
      ping.number = ++pings_;
      mux_->send_control(std::move(ping));
      schedule_ping();
    });
  }

  // The socket cannot be closed from within its own callback: that is left to the loop.
  void lose(const Status& why, bool again) {
    timer_.reset();
    {
      std::lock_guard lock(mutex_);
      ready_mux_ = nullptr;
    }
    auto mux = std::move(mux_);
    sender_.reset();
    if (socket_) {
      std::shared_ptr<Socket> old = std::move(socket_);
      loop_.post([old]() mutable { old.reset(); });
    }
    if (mux) mux->close(why);
    if (std::exchange(connected_, false)) {
      log::warn("bus.disconnected", "the session with the master has ended", {{"node", config_.node}, {"reason", why.message}});
      if (events_.lost) events_.lost();
    } else if (again && attempt_ % 20 == 0) {
      log::warn("bus.no_session", "no master can be reached", {{"node", config_.node}, {"reason", why.message}});
    }
    if (!again || ended_) return;
    ++attempt_;
    timer_ = loop_.after(wait_, [this] { connect(); });
    wait_ = std::min(wait_ * 2, kRetryLast);
  }

  Context& context_;
  Loop& loop_;
  Worker::Config config_;
  Mux::Acceptor calls_;
  Worker::Events events_;
  std::string endpoint_, master_key_;
  std::unique_ptr<Socket> socket_;
  std::shared_ptr<Mux> mux_;
  std::unique_ptr<Sender> sender_;
  std::mutex mutex_;
  std::shared_ptr<Mux> ready_mux_;
  Handle timer_;
  SteadyTime heard_{};
  Duration wait_ = kRetryFirst;
  size_t attempt_ = 0;
  uint64_t pings_ = 0;
  bool connected_ = false, ended_ = false;
};

class WorkerHandle : public Worker {
 public:
  WorkerHandle(Context& context, std::shared_ptr<BusWorker> worker) : context_(context), worker_(std::move(worker)) {}
  ~WorkerHandle() override { close(); }
  void close() override {
    run_on(context_.loop(), [&] { worker_->end(); });
    run_on(context_.loop(), [] {});  // the socket has been closed by now
  }
  void set_masters(std::vector<MasterAddress> masters) override {
    context_.loop().post([worker = worker_, masters = std::move(masters)]() mutable { worker->set_masters(std::move(masters)); });
  }
  void handle(api::Request request, api::Respond respond) override { worker_->handle(std::move(request), std::move(respond)); }

 private:
  Context& context_;
  std::shared_ptr<BusWorker> worker_;
};

}  // namespace

std::unique_ptr<Worker> Worker::start(Context& context, Config config, Mux::Acceptor calls, Events events) {
  auto worker = std::make_shared<BusWorker>(context, std::move(config), std::move(calls), std::move(events));
  context.loop().post([worker] { worker->begin(); });
  return std::make_unique<WorkerHandle>(context, worker);
}

Result<Joined> join(Context& context, const JoinString& to, const std::string& node, const security::CurvePair& keys, Duration deadline) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result<Joined>> result;
  };
  auto wait = std::make_shared<Wait>();
  auto finish = [wait](Result<Joined> result) {
    std::lock_guard lock(wait->mutex);
    if (!wait->result) wait->result.emplace(std::move(result));
    wait->ready.notify_one();
  };
  Loop& loop = context.loop();
  std::vector<std::shared_ptr<Socket>> sockets;
  run_on(loop, [&] {
    for (const auto& endpoint : to.master.endpoints) {
      auto socket = std::make_shared<Socket>(context, Socket::Kind::kDealer);
      socket->curve_client(keys, to.master.public_z85);
      socket->limits(kFrameBytesMax, 4);
      Status status = socket->connect(join_endpoint(endpoint));
      if (!status.ok()) {
        finish(status);
        continue;
      }
      // The token is for one try: asked on the first address that takes the message.
      std::string body = MsgValue::map({{"node", node}, {"token", to.token}}).encode();
      auto ask = [weak = std::weak_ptr<Socket>(socket), body, asked = std::make_shared<bool>(false)] {
        auto s = weak.lock();
        if (s && !*asked && s->send("", body) == Socket::Sent::kYes) *asked = true;
      };
      socket->start(loop, [finish](Message m) {
        auto v = MsgValue::parse(m.body);
        if (!v.ok()) return finish(v.status());
        if (!(*v)["ok"].as_bool()) return finish(Status(Reason::kUnauthorized, std::string((*v)["message"].as_text())));
        Joined joined;
        joined.cluster = Bytes((*v)["cluster"].as_text());
        joined.masters = read_masters((*v)["masters"]);
        finish(std::move(joined));
      }, ask);
      ask();
      sockets.push_back(std::move(socket));
    }
  });
  {
    std::unique_lock lock(wait->mutex);
    wait->ready.wait_for(lock, deadline, [&] { return wait->result.has_value(); });
    if (!wait->result) wait->result.emplace(Status(Reason::kServiceUnavailable, "no master answered the join: is port 6441 (one below the bus's) reachable, and is the join string of this cluster?"));
  }
  run_on(loop, [&] { sockets.clear(); });
  return std::move(*wait->result);
}

}  // namespace lotse::bus
