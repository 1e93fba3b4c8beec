#include "core/network/health_ports.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "core/base/log.h"

namespace lotse::network {
namespace {

constexpr size_t kConnectionsMax = 64, kRequestMax = 8192;
constexpr Duration kIdle = std::chrono::seconds(5), kAgain = std::chrono::seconds(10);

struct Socket {
  int fd;
  Handle watch;
  explicit Socket(int f) : fd(f) {}
  ~Socket() {
    watch.reset();
    if (fd >= 0) close(fd);
  }
};

// Both families where there are both.
int open_port(int port) {
  const int on = 1, off = 0;
  for (int family : {AF_INET6, AF_INET}) {
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6, six.sin6_port = htons(static_cast<uint16_t>(port));
    four.sin_family = AF_INET, four.sin_port = htons(static_cast<uint16_t>(port));
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    const int bound = family == AF_INET6 ? bind(fd, reinterpret_cast<sockaddr*>(&six), sizeof six) : bind(fd, reinterpret_cast<sockaddr*>(&four), sizeof four);
    if (bound == 0 && listen(fd, 64) == 0) return fd;
    const int error = errno;
    close(fd);
    errno = error;
    if (error == EADDRINUSE) return -1;
  }
  return -1;
}

std::string answer(const HealthPort& p) {
  const std::string body = "{\"service\":{\"namespace\":\"" + p.ns + "\",\"name\":\"" + p.name + "\"},\"localEndpoints\":" + std::to_string(p.local) + ",\"serviceProxyHealthy\":true}\n";
  return std::string("HTTP/1.1 ") + (p.local > 0 ? "200 OK" : "503 Service Unavailable") + "\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nX-Load-Balancing-Endpoint-Weight: " +
         std::to_string(p.local) + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

struct HealthPorts::Impl {
  struct Connection : Socket {
    using Socket::Socket;
    std::string request;
    Handle timer;
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  explicit Impl(Loop& l) : loop(l) {}

  void set(std::map<int, HealthPort> now) {
    wanted = std::move(now);
    std::erase_if(doors, [this](const auto& d) { return !wanted.contains(d.first); });
    std::erase_if(told, [this](int port) { return !wanted.contains(port); });
    open_missing();
  }

  void open_missing() {
    bool missing = false;
    for (const auto& [port, service] : wanted) {
      if (doors.contains(port)) continue;
      const int fd = open_port(port);
      if (fd < 0) {
        missing = true;
        if (told.insert(port).second)
          log::warn("network.health_port", "a health check node port could not be opened; it is tried again", {{"port", std::to_string(port)}, {"service", service.ns + "/" + service.name}, {"reason", strerror(errno)}});
        continue;
      }
      told.erase(port);
      auto& door = doors[port] = std::make_unique<Socket>(fd);
      door->watch = loop.watch_fd(fd, true, false, [this, fd, port = port] { accept_one(fd, port); });
    }
    if (missing) again = loop.after(kAgain, [this] { open_missing(); });
    else again.reset();
  }

  void accept_one(int door, int port) {
    const int fd = accept4(door, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto c = std::make_shared<Connection>(fd);
    if (connections.size() >= kConnectionsMax) return;
    connections.insert(c);
    std::weak_ptr<Connection> weak = c;
    c->timer = loop.after(kIdle, [this, weak] { drop(weak.lock()); });
    c->watch = loop.watch_fd(fd, true, false, [this, weak, port] {
      if (auto connection = weak.lock()) read(connection, port);
    });
  }

  void read(const ConnectionPtr& c, int port) {
    char buffer[2048];
    const ssize_t size = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return drop(c);
    c->request.append(buffer, static_cast<size_t>(size));
    if (c->request.find("\r\n\r\n") == std::string::npos && c->request.find("\n\n") == std::string::npos) {
      if (c->request.size() > kRequestMax) drop(c);
      return;
    }
    if (auto it = wanted.find(port); it != wanted.end()) {
      const std::string text = answer(it->second);  // far smaller than a socket's buffer
      (void)!send(c->fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      shutdown(c->fd, SHUT_WR);
    }
    drop(c);
  }

  void drop(const ConnectionPtr& c) {
    if (!c) return;
    connections.erase(c);
    loop.post([c] {});  // its watch or timer may be what is running
  }

  Loop& loop;
  std::map<int, HealthPort> wanted;
  std::map<int, std::unique_ptr<Socket>> doors;
  std::set<int> told;  // ports whose failure was told
  std::set<ConnectionPtr> connections;
  Handle again;
};

HealthPorts::HealthPorts(Loop& loop) : impl_(std::make_unique<Impl>(loop)) {}
HealthPorts::~HealthPorts() = default;
void HealthPorts::set(std::map<int, HealthPort> wanted) { impl_->set(std::move(wanted)); }

}  // namespace lotse::network
