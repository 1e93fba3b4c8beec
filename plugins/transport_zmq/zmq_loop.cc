#include "plugins/transport_zmq/zmq_loop.h"

#include <lotse/call.hpp>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <csignal>

namespace lotse::transport_zmq {
namespace {

constexpr int kMessagesAtOnce = 64;
constexpr int64_t kPingNs = 30'000'000'000;  // between looks at whether clients with open streams are still there
constexpr size_t kHeadBytesMax = 256 * 1024;

void set(void* socket, int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); }

}  // namespace

// ZeroMQ lets go of a message on a thread of its own: the client's session hears of it on ours.
struct ZmqLoop::Release {
  ZmqLoop* loop;
  std::string client;
  std::string text;              // our bytes, or
  transport_rest::Body body;     // the host's
  size_t size;

  static void done(void*, void* hint) {
    auto* self = static_cast<Release*>(hint);
    ZmqLoop* loop = self->loop;
    loop->post([loop, client = std::move(self->client), size = self->size] {
      const auto found = loop->sessions_.find(client);
      if (found != loop->sessions_.end()) found->second->sent(size);
    });
    delete self;
  }
};

ZmqLoop::ZmqLoop(const sdk::Host& host, const ZmqSettings& settings, transport_rest::Outstanding& outstanding)
    : host_(host), settings_(settings), outstanding_(outstanding), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

ZmqLoop::~ZmqLoop() {
  stop();
  sessions_.clear();
  // The context goes before the queue of tasks does: its threads still call Release::done.
  if (socket_) zmq_close(socket_);
  if (context_) zmq_ctx_term(context_);
  for (const auto& address : addresses_)
    if (address.starts_with("unix://")) ::unlink(address.c_str() + 7);
  ::close(wake_fd_);
}

void ZmqLoop::start(const Keys& keys) {
  context_ = zmq_ctx_new();
  zmq_ctx_set(context_, ZMQ_IO_THREADS, 1);
  zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, 16);
  socket_ = zmq_socket(context_, ZMQ_ROUTER);
  if (!socket_) throw sdk::Failure(LOTSE_INTERNAL, std::string("no ZeroMQ socket: ") + zmq_strerror(zmq_errno()));
  set(socket_, ZMQ_LINGER, 0);
  set(socket_, ZMQ_SNDHWM, 0);  // sessions bound what is with ZeroMQ, in bytes
  set(socket_, ZMQ_ROUTER_MANDATORY, 1);  // a client that has gone is an error, not silence
  set(socket_, ZMQ_CURVE_SERVER, 1);
  set(socket_, ZMQ_HANDSHAKE_IVL, 10'000);
  set(socket_, ZMQ_HEARTBEAT_IVL, 30'000);
  set(socket_, ZMQ_HEARTBEAT_TIMEOUT, 30'000);
  const int64_t max = settings_.message_max;
  zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &max, sizeof max);
  if (zmq_setsockopt(socket_, ZMQ_CURVE_SECRETKEY, keys.secret_key.c_str(), keys.secret_key.size() + 1) != 0) {
    throw sdk::Failure(LOTSE_INVALID, "the host's bus key is no CURVE key in Z85");
  }
  for (const auto& address : settings_.listen) {
    if (address.starts_with("unix:")) {
      listen_unix(address, address.substr(address.starts_with("unix://") ? 7 : 5));
      continue;
    }
    set(socket_, ZMQ_IPV6, address.find('[') != std::string::npos);
    if (zmq_bind(socket_, address.c_str()) != 0) {
      throw sdk::Failure(LOTSE_INVALID, "cannot listen on " + address + ": " + zmq_strerror(zmq_errno()));
    }
    char bound[256] = "";
    size_t size = sizeof bound;
    zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, bound, &size);
    addresses_.emplace_back(bound);
  }
  thread_ = std::thread([this] { run(); });
}

// ZeroMQ calls these ipc, and takes away whatever lies there.
void ZmqLoop::listen_unix(const std::string& address, const std::string& path) {
  auto refuse = [&](const std::string& why) { throw sdk::Failure(LOTSE_INVALID, "cannot listen on " + address + ": " + why); };
  if (!path.starts_with('/')) refuse("the path must begin with '/'");
  struct stat old;
  if (::lstat(path.c_str(), &old) == 0 && !S_ISSOCK(old.st_mode)) refuse("something that is no socket is in the way");
  if (zmq_bind(socket_, ("ipc://" + path).c_str()) != 0) refuse(zmq_strerror(zmq_errno()));
  if (::chmod(path.c_str(), 0600) != 0) refuse("its mode cannot be set");
  addresses_.push_back("unix://" + path);
}

void ZmqLoop::stop() {
  if (!thread_.joinable()) return;
  post([this] { stopping_ = true; });
  thread_.join();
}

void ZmqLoop::post(std::function<void()> task) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake();
}

void ZmqLoop::wake() {
  const uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

void ZmqLoop::run() {
  pthread_setname_np(pthread_self(), "zmq-api");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  zmq_pollitem_t items[] = {{socket_, 0, ZMQ_POLLIN, 0}, {nullptr, wake_fd_, ZMQ_POLLIN, 0}};
  while (!stopping_) {
    zmq_poll(items, 2, timeout_ms());
    host_.protect([this] { run_tasks(); }, "a task");
    host_.protect([this] { read_some(); }, "a message");
    host_.protect([this] { ping_streams(); }, "a ping");
    forget_idle();
  }
}

int ZmqLoop::timeout_ms() const {
  int64_t at = next_ping_ns_;
  if (drain_deadline_ns_ != 0 && (at == 0 || drain_deadline_ns_ < at)) at = drain_deadline_ns_;
  if (at == 0) return -1;
  return static_cast<int>(std::clamp<int64_t>((at - sdk::monotonic_ns()) / 1'000'000 + 1, 0, 60'000));
}

void ZmqLoop::run_tasks() {
  uint64_t count;
  (void)!::read(wake_fd_, &count, sizeof count);
  std::vector<std::function<void()>> now;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    now.swap(tasks_);
  }
  for (auto& task : now) host_.protect(task, "a task");
}

// One message: the client's routing id, the map, and perhaps bytes; what comes after these is thrown away.
void ZmqLoop::read_some() {
  for (int i = 0; i < kMessagesAtOnce; ++i) {
    std::string frames[3];
    size_t n = 0;
    for (int more = 1; more;) {
      zmq_msg_t part;
      zmq_msg_init(&part);
      if (zmq_msg_recv(&part, socket_, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&part);
        return;
      }
      if (n < 3) frames[n].assign(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
      ++n;
      more = zmq_msg_more(&part);
      zmq_msg_close(&part);
    }
    if (n < 2 || n > 3 || frames[1].size() > kHeadBytesMax) continue;
    if (ClientSession* session = session_of(frames[0])) session->receive(frames[1], std::move(frames[2]));
  }
  wake();  // there may be more: others first
}

ClientSession* ZmqLoop::session_of(const std::string& client) {
  const auto found = sessions_.find(client);
  if (found != sessions_.end()) return found->second.get();
  if (draining_ || sessions_.size() >= static_cast<size_t>(settings_.clients_max)) {
    send(client, {error_head(std::nullopt, draining_ ? "this server is going" : "too many clients"), {}, {}});
    return nullptr;
  }
  const transport_rest::Door door{host_.api(), this, &outstanding_, nullptr};
  auto made = std::make_unique<ClientSession>(door, "zmq", [this, client](Outgoing message) { return send(client, std::move(message)); });
  return (sessions_[client] = std::move(made)).get();
}

bool ZmqLoop::send(const std::string& client, Outgoing message) {
  const size_t size = message.size();
  auto* release = new Release{this, client, std::move(message.bytes), std::move(message.body), size};
  zmq_msg_t last;
  if (release->body.count() == 1) {
    const std::string_view part = release->body.part(0);
    zmq_msg_init_data(&last, const_cast<char*>(part.data()), part.size(), Release::done, release);
  } else {
    // A scatter list must become one piece.
    release->text.reserve(release->text.size() + release->body.size());
    for (size_t i = 0; i < release->body.count(); ++i) release->text += release->body.part(i);
    release->body.reset();
    zmq_msg_init_data(&last, release->text.data(), release->text.size(), Release::done, release);
  }
  const bool sent = zmq_send(socket_, client.data(), client.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                    zmq_send(socket_, message.head.data(), message.head.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                    zmq_msg_send(&last, socket_, ZMQ_DONTWAIT) >= 0;
  if (!sent) zmq_msg_close(&last);  // calls Release::done
  return sent;
}

// A client is known as long as something goes on with it.
void ZmqLoop::forget_idle() {
  bool streams = false;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (at->second->gone() || at->second->idle()) {
      at = sessions_.erase(at);
    } else {
      streams = streams || at->second->has_calls();
      ++at;
    }
  }
  if (!streams) next_ping_ns_ = 0;
  else if (next_ping_ns_ == 0) next_ping_ns_ = sdk::monotonic_ns() + kPingNs;
  if (!drained_) return;
  if (drain_deadline_ns_ != 0 && sdk::monotonic_ns() >= drain_deadline_ns_) sessions_.clear();
  if (!sessions_.empty()) return;
  drain_deadline_ns_ = 0;
  std::exchange(drained_, nullptr)();
}

// ZeroMQ says that a client has gone only when something is sent to it.
void ZmqLoop::ping_streams() {
  if (next_ping_ns_ == 0 || sdk::monotonic_ns() < next_ping_ns_) return;
  next_ping_ns_ = sdk::monotonic_ns() + kPingNs;
  for (auto& [client, session] : sessions_) {
    if (session->has_calls()) session->ping();
  }
}

void ZmqLoop::close_all() {
  post([this] { sessions_.clear(); });
}

void ZmqLoop::drain(std::function<void()> done, int64_t deadline_ns) {
  post([this, done = std::move(done), deadline_ns] {
    draining_ = true;
    drained_ = done;
    drain_deadline_ns_ = deadline_ns;
  });
}

}  // namespace lotse::transport_zmq
