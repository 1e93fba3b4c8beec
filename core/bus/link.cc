#include "core/bus/link.h"

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/msgpack.h"

namespace lotse::bus {
namespace {

constexpr Duration kRetryFirst = std::chrono::milliseconds(200), kRetryLast = std::chrono::seconds(5);
constexpr Duration kHelloPatience = std::chrono::seconds(10);

uint64_t make_epoch() {
  uint64_t epoch = 0;
  fill_random({reinterpret_cast<uint8_t*>(&epoch), sizeof epoch});
  return epoch >> 1 | 1;
}

}  // namespace

Link::Link(Context& context, const Worker::Config& config, MasterAddress master, Mux::Acceptor calls, Owner owner)
    : context_(context), loop_(context.loop()), config_(config), master_(std::move(master)), calls_(std::move(calls)), owner_(std::move(owner)), wait_(kRetryFirst) {}

void Link::end(const Status& why) {
  ended_ = true;
  owner_ = {};
  lose(why, false);
  calls_ = nullptr;
}

void Link::connect() {
  if (ended_) return;
  socket_ = std::make_unique<Socket>(context_, Socket::Kind::kDealer);
  socket_->limits(kFrameBytesMax, 256);
  endpoint_ = kLocalEndpoint;
  if (!master_.endpoints.empty()) {
    socket_->curve_client(config_.keys, master_.public_z85);
    endpoint_ = master_.endpoints[attempt_ % master_.endpoints.size()];
    socket_->watch_link(loop_, [weak = weak_from_this()](Socket::Link link) {
      if (auto self = weak.lock()) self->link_changed(link);
    });
  }
  Status status = socket_->connect(endpoint_);
  if (!status.ok()) return lose(status, true);
  mux_ = Mux::make(loop_, true, make_epoch(), calls_, [weak = weak_from_this()] {
    if (auto self = weak.lock(); self && self->sender_) self->sender_->pump();
  });
  sender_ = std::make_unique<Sender>(loop_, *mux_, [this](const std::string& f) { return socket_->send("", f); },
                                     [this] { lose(Status(Reason::kServiceUnavailable, "the master has gone"), true); });
  // A socket outlives the session, and maybe this link, until the loop closes it.
  socket_->start(
      loop_,
      [weak = weak_from_this()](Message m) {
        if (auto self = weak.lock()) self->message(m);
      },
      [weak = weak_from_this()] {
        if (auto self = weak.lock(); self && self->sender_) self->sender_->pump();
      });
  Frame hello;
  hello.type = FrameType::kHello;
  hello.payload = Bytes(MsgValue::map({{"protocol", kProtocol}, {"node", config_.node}, {"version", config_.version}}).encode());
  mux_->send_control(std::move(hello));
  timer_ = loop_.after(kHelloPatience, [this] { lose(Status(Reason::kServiceUnavailable, "the master does not answer"), true); });
}

// A connection that ends is seen at once. Where nobody listens ZeroMQ goes on knocking: that is right for an only address.
void Link::link_changed(Socket::Link link) {
  if (link == Socket::Link::kRefused) return refused("this key belongs to no node of this cluster");
  if (link == Socket::Link::kUnreachable && (connected_ || master_.endpoints.size() < 2)) return;
  lose(Status(Reason::kServiceUnavailable, link == Socket::Link::kClosed ? "the connection to the master has ended" : "the master cannot be reached"), true);
}

void Link::refused(const std::string& why) {
  lose(Status(Reason::kServiceUnavailable, "the master says: " + why), true);
  if (owner_.refused) owner_.refused(*this, why);
}

void Link::message(const Message& m) {
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

void Link::welcome(const Frame& frame) {
  if (!std::exchange(connected_, true)) {
    wait_ = kRetryFirst;
    attempt_ = 0;
    // The address that has just worked comes first.
    std::erase(master_.endpoints, endpoint_);
    if (endpoint_ != kLocalEndpoint) master_.endpoints.insert(master_.endpoints.begin(), endpoint_);
    log::info("bus.connected", "there is a session with a master", {{"node", config_.node}, {"master", endpoint_}});
    schedule_ping();
  }
  if (owner_.welcomed) owner_.welcomed(*this, frame.payload.view());
}

void Link::schedule_ping() {
  timer_ = loop_.after(config_.ping_period, [this] {
    if (loop_.clock().steady() - heard_ > config_.silence_max) return lose(Status(Reason::kServiceUnavailable, "the master is silent"), true);
    ping();
    schedule_ping();
  });
}

void Link::ping() {
  Frame ping;
  ping.type = FrameType::kPing;
  ping.number = ++pings_;
  ping.more = !primary_;
  mux_->send_control(std::move(ping));
}

void Link::set_primary(bool primary) {
  const bool news = std::exchange(primary_, primary) != primary;
  if (news && primary && connected_) ping();
}

// The socket cannot be closed from within its own callback: that is left to the loop.
void Link::lose(const Status& why, bool again) {
  const auto self = shared_from_this();  // the owner may let go of us
  timer_.reset();
  auto mux = std::move(mux_);
  sender_.reset();
  if (socket_) {
    std::shared_ptr<Socket> old = std::move(socket_);
    loop_.post([old]() mutable { old.reset(); });
  }
  const bool was = std::exchange(connected_, false);
  if (was) {
    log::warn("bus.disconnected", "the session with the master has ended", {{"node", config_.node}, {"master", endpoint_}, {"reason", why.message}});
    if (owner_.lost) owner_.lost(*this);  // first: what ends now is asked for anew, and not here
  } else if (again && attempt_ % 20 == 0) {
    log::warn("bus.no_session", "a master cannot be reached", {{"node", config_.node}, {"master", endpoint_}, {"reason", why.message}});
  }
  if (mux) mux->close(why);
  if (!again || ended_) return;
  ++attempt_;
  timer_ = loop_.after(wait_, [this] { connect(); });
  wait_ = std::min(wait_ * 2, kRetryLast);
}

}  // namespace lotse::bus
