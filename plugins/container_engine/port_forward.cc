// port_forward: a TCP connection to 127.0.0.1:port within the sandbox's network namespace.
//
// A socket belongs to the namespace of the thread that makes it, for good. So a thread of its own enters the namespace,
// makes the socket and ends; connecting and shovelling happen on the reactor.
#include "plugins/container_engine/port_forward.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lotse::container_engine {
namespace {

constexpr int64_t kOpenTimeoutNs = 60'000'000'000;

int socket_in(int netns, int family) {
  int fd = -1;
  std::thread([&] {
    if (netns < 0 || setns(netns, CLONE_NEWNET) == 0)
      fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }).join();
  return fd;
}

class PortForward : public sdk::Producer {
 public:
  PortForward(EngineCore& engine, std::string sandbox, uint16_t port, PidOf pid_of)
      : Producer(engine.executor()),
        engine_(engine),
        sandbox_(std::move(sandbox)),
        port_(port),
        pid_of_(std::move(pid_of)) {}

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      self->engine_.spawn_step([self] { return self->open(); });
    });
  }
  void on_credit() override {
    engine_.reactor.post([self = shared()] { self->read_socket(); });
  }
  bool on_write(uint32_t channel, std::string_view data) override {
    if (channel != LOTSE_STDIN) return false;
    engine_.reactor.post([self = shared(), copy = std::string(data)] {
      self->outgoing_ += copy;
      self->write_socket();
    });
    return true;
  }
  void on_half_close(uint32_t channel) override {
    if (channel != LOTSE_STDIN) return;
    engine_.reactor.post([self = shared()] {
      self->closing_ = true;
      self->write_socket();
    });
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  std::shared_ptr<PortForward> shared() { return std::static_pointer_cast<PortForward>(shared_from_this()); }

  Co<Done> open() {
    auto self = shared();
    try {
      int64_t deadline = Reactor::now_ns() + kOpenTimeoutNs;
      co_await engine_.ready(deadline);
      uint32_t pid = co_await pid_of_(sandbox_, deadline);
      if (pid == 0) throw sdk::Failure(LOTSE_NOT_FOUND, "the sandbox " + sandbox_ + " is not running");
      std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
      netns_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      // The pid may have ended, and even have been given away again, before it was opened.
      uint32_t still = co_await pid_of_(sandbox_, deadline);
      if (netns_ < 0 || still != pid) throw sdk::Failure(LOTSE_NOT_FOUND, "the sandbox " + sandbox_ + " has ended");
      if (!done_) connect(AF_INET);
    } catch (...) {
      auto caught = sdk::caught("port_forward");
      complain(caught.sentence);
      stop(caught.code, caught.sentence);
    }
    co_return Done{};
  }

  void connect(int family) {
    family_ = family;
    fd_ = socket_in(netns_, family);
    if (fd_ < 0) return refused(errno);
    int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port_);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port_);
    v6.sin6_addr = in6addr_loopback;
    int result = family == AF_INET ? ::connect(fd_, reinterpret_cast<sockaddr*>(&v4), sizeof v4)
                                   : ::connect(fd_, reinterpret_cast<sockaddr*>(&v6), sizeof v6);
    if (result != 0 && errno != EINPROGRESS) return refused(errno);
    std::weak_ptr<PortForward> weak = shared();
    watch_ = engine_.reactor.watch(fd_, EPOLLIN | EPOLLOUT | EPOLLRDHUP, [weak](uint32_t events) {
      if (auto self = weak.lock()) self->ready(events);
    });
  }

  void ready(uint32_t events) {
    if (!connected_) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return refused(error);
      if ((events & EPOLLOUT) == 0) return;
      connected_ = true;
      close_netns();
    }
    if (events & EPOLLOUT) write_socket();
    if (!done_) read_socket();
  }

  void refused(int error) {
    close_socket();
    // Who listens on IPv6's loopback alone is found, too.
    if (family_ == AF_INET) return connect(AF_INET6);
    std::string sentence = "cannot connect to port " + std::to_string(port_) + " of the pod: " + strerror(error);
    complain(sentence);
    stop(LOTSE_UNAVAILABLE, sentence);
  }

  void read_socket() {
    std::array<char, 32 << 10> buffer;
    while (connected_ && !read_done_ && !done_ && credit() > 0) {
      ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
      if (n > 0) {
        send(LOTSE_STDIN, {buffer.data(), static_cast<size_t>(n)});
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) return stop(LOTSE_UNAVAILABLE, std::string("the pod's connection broke: ") + strerror(errno));
      read_done_ = true;
      finish();
    }
  }

  void write_socket() {
    size_t sent = 0;
    while (connected_ && !done_ && sent < outgoing_.size()) {
      ssize_t n = ::send(fd_, outgoing_.data() + sent, outgoing_.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return stop(LOTSE_UNAVAILABLE, std::string("the pod's connection broke: ") + strerror(errno));
      sent += static_cast<size_t>(n);
    }
    outgoing_.erase(0, sent);
    if (sent > 0) consumed(sent);
    if (connected_ && closing_ && outgoing_.empty() && !done_ && !shut_) {
      shut_ = true;
      shutdown(fd_, SHUT_WR);
    }
  }

  // The server has said all that it will: what we still have for it has no taker any more.
  void finish() {
    if (done_) return;
    done_ = true;
    close_socket();
    end(Msg::map());
    engine_.remove(this);
  }

  void complain(std::string_view sentence) {
    if (!send(LOTSE_ERROR, sentence)) engine_.host.debug("port_forward", sentence);
  }

  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    close_socket();
    close_netns();
    fail(code, sentence);
    engine_.remove(this);
  }

  void close_socket() {
    if (fd_ < 0) return;
    engine_.reactor.unwatch(watch_);
    close(fd_);
    fd_ = -1;
    connected_ = false;
  }
  void close_netns() {
    if (netns_ >= 0) close(netns_);
    netns_ = -1;
  }

  EngineCore& engine_;
  const std::string sandbox_;
  const uint16_t port_;
  const PidOf pid_of_;
  // The reactor's:
  int netns_ = -1;
  int family_ = AF_INET;
  int fd_ = -1;
  uint64_t watch_ = 0;
  bool connected_ = false, read_done_ = false, closing_ = false, shut_ = false, done_ = false;
  std::string outgoing_;
};

}  // namespace

sdk::ProducerPtr open_port_forward(EngineCore& engine, const Msg& request, PidOf pid_of) {
  return std::make_shared<PortForward>(engine, need_text(request, "sandbox"),
                                       static_cast<uint16_t>(need_int(request, "port", 1, 65535)), std::move(pid_of));
}

}  // namespace lotse::container_engine
