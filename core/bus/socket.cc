#include "core/bus/socket.h"

#include <zmq.hpp>

#include "core/base/log.h"

namespace lotse::bus {

namespace {
constexpr int kSilentPeerMs = 3000;
}

struct Context::Impl {
  zmq::context_t zmq{1};
  LoopThread thread{"bus"};
};
Context::Context() : impl_(std::make_unique<Impl>()) { impl_->zmq.set(zmq::ctxopt::ipv6, 1); }
Context::~Context() = default;
Loop& Context::loop() { return impl_->thread.loop(); }
void* Context::zmq() { return &impl_->zmq; }

struct Socket::Impl : std::enable_shared_from_this<Socket::Impl> {
  zmq::context_t& context;
  zmq::socket_t socket;
  bool router = false;
  bool refused = false;  // a send was refused: tell when there is room
  bool posted = false;   // work() is on its way
  Loop* loop = nullptr;
  std::function<void(Message)> on_message;
  std::function<void()> on_writable;
  Handle watch;
  zmq::socket_t monitor;
  std::function<void(Link)> on_link;
  Handle monitor_watch;


  Impl(zmq::context_t& zmq_context, Kind kind)
      : context(zmq_context), socket(zmq_context, kind == Kind::kRouter ? zmq::socket_type::router : zmq::socket_type::dealer), router(kind == Kind::kRouter) {
    socket.set(zmq::sockopt::linger, 0);
    if (router) {
      socket.set(zmq::sockopt::router_mandatory, true);
      socket.set(zmq::sockopt::router_handover, false);
    } else {
      socket.set(zmq::sockopt::reconnect_ivl, 100);
      socket.set(zmq::sockopt::reconnect_ivl_max, 1000);
      socket.set(zmq::sockopt::immediate, true);
      // A peer that has vanished without a word is found by the kernel within three seconds, and costs no wake-up of ours.
      socket.set(zmq::sockopt::tcp_keepalive, 1);
      socket.set(zmq::sockopt::tcp_keepalive_idle, 1);
      socket.set(zmq::sockopt::tcp_keepalive_intvl, 1);
      socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
      socket.set(zmq::sockopt::tcp_maxrt, kSilentPeerMs);
    }
    socket.set(zmq::sockopt::handshake_ivl, 10000);
  }

  void look() {
    auto self = shared_from_this();  // a callback may destroy the socket
    while (on_link && monitor && (monitor.get(zmq::sockopt::events) & ZMQ_POLLIN)) {
      zmq::message_t event, address;
      if (!monitor.recv(event, zmq::recv_flags::dontwait) || event.size() < 6) return;
      if (event.more() && !monitor.recv(address, zmq::recv_flags::dontwait)) return;
      uint16_t what = 0;
      std::memcpy(&what, event.data(), sizeof what);
      auto tell = on_link;
      tell(what == ZMQ_EVENT_DISCONNECTED ? Link::kClosed : what == ZMQ_EVENT_CONNECT_RETRIED ? Link::kUnreachable : Link::kRefused);
    }
  }

  bool receive(Message* out) {
    zmq::message_t part;
    if (router) {
      if (!socket.recv(part, zmq::recv_flags::dontwait)) return false;
      out->peer = part.to_string();
    }
    if (!socket.recv(part, zmq::recv_flags::dontwait)) return false;
    // Our own messages have one part; more of them are read and dropped, so that the next one begins where it should.
    bool extra = part.more();
    out->body = part.to_string();
    if (const char* user = zmq_msg_gets(part.handle(), "User-Id")) out->user = user;
    if (const char* address = zmq_msg_gets(part.handle(), "Peer-Address")) out->address = address;
    while (extra) {
      zmq::message_t more;
      if (!socket.recv(more, zmq::recv_flags::dontwait)) break;
      extra = more.more();
      out->body.clear();
    }
    return true;
  }
};

Socket::Socket(Context& context, Kind kind) : impl_(std::make_shared<Impl>(*static_cast<zmq::context_t*>(context.zmq()), kind)) {}

Socket::~Socket() {
  impl_->watch.reset();
  impl_->monitor_watch.reset();
  impl_->on_message = nullptr;
  impl_->on_writable = nullptr;
  impl_->on_link = nullptr;
  if (impl_->monitor) zmq_socket_monitor(impl_->socket.handle(), nullptr, 0);
  impl_->monitor.close();
  impl_->socket.close();
}

// ZeroMQ tells of its connections through a socket pair of their own: an event's number and value, then the address.
void Socket::watch_link(Loop& loop, std::function<void(Link)> on_link) {
  static std::atomic<uint64_t> number{0};
  const std::string address = "inproc://lotse.monitor." + std::to_string(++number);
  constexpr int kEvents = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  if (zmq_socket_monitor(impl_->socket.handle(), address.c_str(), kEvents) != 0) return;
  impl_->monitor = zmq::socket_t(impl_->context, zmq::socket_type::pair);
  impl_->monitor.set(zmq::sockopt::linger, 0);
  impl_->monitor.connect(address);
  impl_->on_link = std::move(on_link);
  impl_->monitor_watch = loop.watch_fd(impl_->monitor.get(zmq::sockopt::fd), true, false, [impl = impl_.get()] { impl->look(); });
  loop.post([weak = std::weak_ptr<Impl>(impl_)] {  // its edge may have been before the watch
    if (auto impl = weak.lock()) impl->look();
  });
}

void Socket::curve_server(const security::CurvePair& keys, const std::string& domain) {
  impl_->socket.set(zmq::sockopt::curve_server, true);
  impl_->socket.set(zmq::sockopt::curve_secretkey, keys.secret_z85);
  impl_->socket.set(zmq::sockopt::zap_domain, domain);
}

void Socket::curve_client(const security::CurvePair& keys, const std::string& server) {
  impl_->socket.set(zmq::sockopt::curve_serverkey, server);
  impl_->socket.set(zmq::sockopt::curve_publickey, keys.public_z85);
  impl_->socket.set(zmq::sockopt::curve_secretkey, keys.secret_z85);
}

void Socket::limits(int64_t message_bytes_max, int queue_frames) {
  impl_->socket.set(zmq::sockopt::maxmsgsize, message_bytes_max);
  impl_->socket.set(zmq::sockopt::sndhwm, queue_frames);
  impl_->socket.set(zmq::sockopt::rcvhwm, queue_frames);
}

Status Socket::bind(const std::string& endpoint, std::string* bound) {
  try {
    impl_->socket.bind(endpoint);
    if (bound) *bound = impl_->socket.get(zmq::sockopt::last_endpoint);
    return {};
  } catch (const zmq::error_t& e) {
    return Status(Reason::kInternalError, "the bus cannot listen on " + endpoint + ": " + e.what());
  }
}

Status Socket::connect(const std::string& endpoint) {
  try {
    impl_->socket.connect(endpoint);
    return {};
  } catch (const zmq::error_t& e) {
    return Status(Reason::kInternalError, "the bus cannot connect to " + endpoint + ": " + e.what());
  }
}

void Socket::start(Loop& loop, std::function<void(Message)> on_message, std::function<void()> on_writable) {
  impl_->loop = &loop;
  impl_->on_message = std::move(on_message);
  impl_->on_writable = std::move(on_writable);
  impl_->watch = loop.watch_fd(impl_->socket.get(zmq::sockopt::fd), true, false, [this] { work(); });
  work();
}

// At most a bounded number of messages at a time, so that one busy socket leaves the loop to the others.
void Socket::work() {
  std::shared_ptr<Impl> impl = impl_;  // a callback may destroy this socket
  impl->posted = false;
  int left = 256;
  while (impl->on_message && impl->socket) {
    const int events = impl->socket.get(zmq::sockopt::events);
    bool did = false;
    if (events & ZMQ_POLLIN) {
      Message message;
      if (impl->receive(&message)) {
        did = true;
        impl->on_message(std::move(message));
      }
    }
    if (impl->refused && impl->on_writable && impl->socket && (events & ZMQ_POLLOUT)) {
      impl->refused = false;
      impl->on_writable();
      did = did || !impl->refused;
    }
    if (!did) return;
    if (--left == 0) {
      impl->posted = true;
      impl->loop->post([this, weak = std::weak_ptr<Impl>(impl)] {
        if (auto i = weak.lock(); i && i->socket) work();
      });
      return;
    }
  }
}

Socket::Sent Socket::send(const std::string& peer, const std::string& body) {
  try {
    if (impl_->router && !impl_->socket.send(zmq::buffer(peer), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
      impl_->refused = true;
      return Sent::kFull;
    }
    if (!impl_->socket.send(zmq::buffer(body), zmq::send_flags::dontwait)) {
      impl_->refused = true;
      return Sent::kFull;
    }
  } catch (const zmq::error_t& e) {
    return Sent::kGone;  // EHOSTUNREACH: no such peer any more
  }
  // Sending may have taken the edge of what has arrived meanwhile: look at the events once more, from the loop.
  if (impl_->loop && !impl_->posted) {
    impl_->posted = true;
    impl_->loop->post([this, weak = std::weak_ptr<Impl>(impl_)] {
      if (auto i = weak.lock(); i && i->socket) work();
    });
  }
  return Sent::kYes;
}

}  // namespace lotse::bus
