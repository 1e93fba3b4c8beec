#include "plugins/transport_rest/listener.h"

#include <arpa/inet.h>
#include <lotse/error.hpp>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lotse::transport_rest {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsAtOnce = 32;
constexpr std::chrono::milliseconds kPause{250};  // when there is no descriptor left

[[noreturn]] void fail(const std::string& address, const std::string& what, int error = 0) {
  throw sdk::Failure(LOTSE_INVALID, "cannot listen on " + address + ": " + what + (error ? std::string(": ") + std::strerror(error) : ""));
}

struct Fd {
  int raw = -1;
  ~Fd() {
    if (raw >= 0) ::close(raw);
  }
  int release() { return std::exchange(raw, -1); }
};

int listen_unix(const std::string& address, const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path) fail(address, "the path is empty or too long");
  std::memcpy(name.sun_path, path.data(), path.size());
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (fd.raw < 0) fail(address, "no socket", errno);
  struct stat old;
  if (::lstat(path.c_str(), &old) == 0) {
    if (!S_ISSOCK(old.st_mode)) fail(address, "something that is no socket is in the way");
    ::unlink(path.c_str());
  }
  // The mode of the socket before bind is the mode of the file: it is never open to others, not even for a moment.
  ::fchmod(fd.raw, 0600);
  if (::bind(fd.raw, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) fail(address, "bind", errno);
  if (::listen(fd.raw, kBacklog) != 0) fail(address, "listen", errno);
  return fd.release();
}

std::string text_of(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, host, sizeof host);
      return std::string(host) + ":" + std::to_string(ntohs(v6.sin6_port));
    }
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
  return std::string(host) + ":" + std::to_string(ntohs(v4.sin_port));
}

int listen_tcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) fail(address, "it is neither \"ip:port\" nor \"unix:/path\"");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error != 0) fail(address, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> keep(found, ::freeaddrinfo);
  Fd fd{::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (fd.raw < 0) fail(address, "no socket", errno);
  const int on = 1, off = 0;
  ::setsockopt(fd.raw, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) ::setsockopt(fd.raw, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd.raw, found->ai_addr, found->ai_addrlen) != 0) fail(address, "bind", errno);
  if (::listen(fd.raw, kBacklog) != 0) fail(address, "listen", errno);
  return fd.release();
}

// A client that has gone without a word is noticed by the kernel; no timer of ours asks.
void tune(int fd) {
  const int on = 1, idle = 60, interval = 15, count = 4;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace

Listener::Listener(boost::asio::io_context& io, const std::string& address) : socket_(io), pause_(io), address_(address) {
  if (address.starts_with("unix:")) {
    tls_ = false;
    const std::string path = address.substr(address.starts_with("unix://") ? 7 : 5);
    if (!path.starts_with('/')) fail(address, "the path must begin with '/'");
    socket_.assign(listen_unix(address, path));
    unlink_ = path;
    return;
  }
  socket_.assign(listen_tcp(address));
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket_.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size) == 0) address_ = text_of(bound);
}

Listener::~Listener() { close(); }

void Listener::start(Accepted accepted) {
  accepted_ = std::move(accepted);
  wait();
}

void Listener::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
  if (!unlink_.empty()) ::unlink(std::exchange(unlink_, {}).c_str());
}

void Listener::wait() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
    if (!error) accept_some();
  });
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) return pause();
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (fd < 0) continue;  // that one has gone already
    if (tls_) tune(fd);
    accepted_(fd, tls_ ? text_of(peer) : "unix", tls_);
  }
  wait();
}

// The listening socket stays readable: without a pause this would spin until a descriptor is free.
void Listener::pause() {
  pause_.expires_after(kPause);
  pause_.async_wait([this](const boost::system::error_code& error) {
    if (!error) wait();
  });
}

}  // namespace lotse::transport_rest
