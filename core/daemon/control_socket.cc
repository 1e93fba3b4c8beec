#include "core/daemon/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"
#include "core/base/frame_io.h"
#include "core/base/log.h"
#include "core/base/run_on.h"

namespace lotse::daemon {
namespace {

constexpr size_t kDataMax = 256 * 1024;  // of one frame
constexpr int kSendSeconds = 30;

// A client whose request is still coming. On the loop only.
struct Client {
  ~Client() {
    watch.reset();
    if (fd >= 0) ::close(fd);
  }
  int fd = -1;
  std::string received;
  std::optional<MsgValue> request;  // waits for serve()
  Handle watch, timer;
};

MsgValue end_frame(const Status& status) {
  MsgValue frame = MsgValue::map({{"exit", status.ok() ? 0 : 1}});
  if (!status.ok()) frame.set("error", status.message), frame.set("reason", reason_name(status.reason));
  return frame;
}

bool is_allowed(int fd, uid_t* who) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  *who = peer.uid;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

class ControlSocket::Impl : public std::enable_shared_from_this<ControlSocket::Impl> {
 public:
  Impl(Loop& l, WorkerPool& w, std::string p, Limits m) : loop(l), workers(w), path(std::move(p)), limits(m) {}

  Status start() {
    if (auto other = connect_unix(path); other.ok()) {
      ::close(*other);
      return Status(Reason::kAlreadyExists, fmt::format("another lotsed serves {} already", path));
    }
    LOTSE_TRY(listener, listen_unix(path, 16));
    watch = loop.watch_fd(listener, true, false, [this] { accept(); });
    return watch ? Status() : errno_status("watch", path, errno);
  }

  // [loop]
  void serve() {
    serving = true;
    std::vector<Client*> asked;
    for (auto& [key, client] : clients)
      if (client->request) asked.push_back(key);
    for (Client* client : asked) run(client, *std::move(client->request));
  }

  // [loop]
  void stop() {
    watch.reset();
    if (listener >= 0) ::close(std::exchange(listener, -1));
    ::unlink(path.c_str());
    clients.clear();
    std::lock_guard lock(mutex);
    ending = true;
    for (const auto& [reply, wake] : waiting) wake();
  }

  // Not with the loop standing still: handlers may need it.
  void wait() {
    std::unique_lock lock(mutex);
    idle.wait(lock, [this] { return running == 0; });
  }

  Loop& loop;
  std::map<std::string, ControlHandler> handlers;

 private:
  class Reply : public ControlReply {
   public:
    Reply(int fd, Impl& impl) : fd_(fd), impl_(impl) {}
    ~Reply() override {
      std::lock_guard lock(impl_.mutex);
      impl_.waiting.erase(this);
    }
    bool out(std::string_view text) override {
      for (size_t at = 0; at < text.size(); at += kDataMax) send(MsgValue::map({{"out", text.substr(at, kDataMax)}}));
      return !gone();
    }
    bool data(std::string_view bytes) override {
      for (size_t at = 0; at < bytes.size(); at += kDataMax)
        send(MsgValue::map({{"data", MsgValue::bin(bytes.substr(at, kDataMax))}}));
      return !gone();
    }
    bool gone() const override {
      if (broken_ || impl_.ending) return true;
      pollfd peer{fd_, POLLRDHUP, 0};
      return ::poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    }
    void when_ending(std::function<void()> wake) override {
      std::lock_guard lock(impl_.mutex);
      if (impl_.ending) return wake();
      impl_.waiting[this] = std::move(wake);
    }
    void send(const MsgValue& frame) {
      if (!broken_) broken_ = !write_frame(fd_, frame).ok();
    }

   private:
    int fd_;
    Impl& impl_;
    bool broken_ = false;
  };

  void accept() {
    int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    timeval patience{kSendSeconds, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    uid_t who = uid_t(-1);
    if (!is_allowed(fd, &who)) {
      log::warn("daemon.control.denied", "somebody who may not has called the control socket", {{"uid", who}});
      refuse(fd, "only root and the user that lotsed runs as may do that");
      return;
    }
    if (clients.size() + running_now() >= limits.connections_max) {
      refuse(fd, "too many commands run at the same time");
      return;
    }
    auto client = std::make_unique<Client>();
    client->fd = fd;
    Client* key = client.get();
    client->watch = loop.watch_fd(fd, true, false, [this, key] { receive(key); });
    client->timer = loop.after(limits.request_time, [this, key] { clients.erase(key); });
    clients.emplace(key, std::move(client));
  }

  void refuse(int fd, std::string sentence) {
    (void)!write_frame(fd, end_frame(Status(Reason::kForbidden, std::move(sentence)))).ok();
    ::close(fd);
  }

  void receive(Client* client) {
    char buffer[8192];
    ssize_t got = ::recv(client->fd, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      clients.erase(client);
      return;
    }
    client->received.append(buffer, size_t(got));
    auto length = frame_length(client->received);
    if (!length) return;
    if (*length > limits.request_max)
      return finish(client, Status(Reason::kRequestEntityTooLarge, "the request is too large"));
    if (client->received.size() < 4 + *length) return;
    auto request = MsgValue::parse(std::string_view(client->received).substr(4, *length));
    if (!request.ok()) return finish(client, request.status());
    if (serving) return run(client, *std::move(request));
    client->request = *std::move(request);
    client->watch.reset();
    client->timer = loop.after(limits.request_time, [this, client] {
      finish(client, Status(Reason::kServiceUnavailable, "lotsed is still starting; its log says what it waits for"));
    });
  }

  // Says why and lets go. What is sent fits into the socket's buffer.
  void finish(Client* client, const Status& status) {
    (void)!write_frame(client->fd, end_frame(status)).ok();
    clients.erase(client);
  }

  void run(Client* client, MsgValue request) {
    std::string command(request["command"].as_text());
    auto found = handlers.find(command);
    if (found == handlers.end()) {
      return finish(client,
                    Status(Reason::kNotFound, fmt::format("this lotsed knows no command '{}'", command.substr(0, 64))));
    }
    {
      std::lock_guard lock(mutex);
      running++;
    }
    int fd = ::fcntl(client->fd, F_DUPFD_CLOEXEC, 3);
    auto work = [self = shared_from_this(), fd, handler = found->second, command, request = std::move(request)] {
      ::fcntl(fd, F_SETFL, 0);  // blocking, with the timeout that was set
      {
        Reply reply(fd, *self);
        reply.send(end_frame(self->call(command, handler, request, reply)));
      }
      ::close(fd);
      self->one_less();
    };
    if (fd < 0 || !workers.submit(std::move(work))) {
      if (fd >= 0) ::close(fd);
      one_less();
      return finish(client, Status(Reason::kTooManyRequests, "lotsed is busy; try again"));
    }
    clients.erase(client);
  }

  Status call(const std::string& command, const ControlHandler& handler, const MsgValue& request, Reply& reply) {
    try {
      return handler(request, reply);
    } catch (const std::exception& error) {
      log::error("daemon.control.exception", error.what(), {{"command", command}});
      return Status(Reason::kInternalError, fmt::format("lotsed failed: {}", error.what()));
    }
  }

  void one_less() {
    std::lock_guard lock(mutex);
    running--;
    idle.notify_all();
  }
  size_t running_now() {
    std::lock_guard lock(mutex);
    return running;
  }

  WorkerPool& workers;
  std::string path;
  Limits limits;
  int listener = -1;
  bool serving = false;
  Handle watch;
  std::map<Client*, std::unique_ptr<Client>> clients;
  std::atomic<bool> ending{false};
  std::mutex mutex;
  std::map<ControlReply*, std::function<void()>> waiting;
  std::condition_variable idle;
  size_t running = 0;  // handlers on the pool
};

Result<std::unique_ptr<ControlSocket>> ControlSocket::listen(Loop& loop, WorkerPool& workers, const std::string& path,
                                                             Limits limits) {
  auto impl = std::make_shared<Impl>(loop, workers, path, limits);
  LOTSE_CHECK_OK(impl->start());
  return std::unique_ptr<ControlSocket>(new ControlSocket(std::move(impl)));
}

ControlSocket::ControlSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlSocket::~ControlSocket() {
  run_on(impl_->loop, [this] { impl_->stop(); });
  impl_->wait();
}
void ControlSocket::handle(const std::string& command, ControlHandler handler) {
  impl_->handlers[command] = std::move(handler);
}

void ControlSocket::serve() { impl_->serve(); }

}  // namespace lotse::daemon
