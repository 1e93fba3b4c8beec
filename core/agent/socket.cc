#include "core/agent/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lotse::agent {
namespace {

// Probes do not check certificates (Kubernetes' documentation of httpGet says so): one context serves all.
SSL_CTX* context() {
  static SSL_CTX* const ctx = [] {
    auto* c = SSL_CTX_new(TLS_client_method());
    if (c) SSL_CTX_set_verify(c, SSL_VERIFY_NONE, nullptr);
    return c;
  }();
  return ctx;
}

Status failed(std::string_view what, int error) {
  std::string why = std::generic_category().message(error);
  if (!why.empty() && why[0] >= 'A' && why[0] <= 'Z') why[0] = static_cast<char>(why[0] + 32);
  return Status(Reason::kServiceUnavailable, std::string(what) + ": " + why);
}

Result<socklen_t> address(const std::string& ip, int port, sockaddr_storage* out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    return static_cast<socklen_t>(sizeof *v4);
  }
  if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    return static_cast<socklen_t>(sizeof *v6);
  }
  return Status(Reason::kInvalid, "\"" + ip + "\" is no IP address");
}

}  // namespace

Socket::Socket(Loop& loop, std::function<void(Status)> ready, std::function<void(std::string_view)> data,
               std::function<void(Status)> closed)
    : loop_(loop), ready_(std::move(ready)), data_(std::move(data)), closed_(std::move(closed)) {}

Socket::~Socket() {
  *alive_ = false;
  if (ssl_) SSL_free(ssl_);
  watch_.reset();
}

void Socket::connect(const std::string& ip, int port, bool tls, const std::string& server_name) {
  tls_ = tls;
  name_ = server_name;
  where_ = (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" + std::to_string(port);
  sockaddr_storage to{};
  auto length = address(ip, port, &to);
  Status status = length.ok() ? Status() : length.status();
  if (status.ok()) {
    fd_ = Fd(::socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_) status = failed("socket", errno);
  }
  if (status.ok() && ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), *length) != 0 && errno != EINPROGRESS) {
    status = failed("dial tcp " + where_ + ": connect", errno);
  }
  if (!status.ok()) {
    loop_.post([this, alive = alive_, status] {
      if (*alive) fail(status);
    });
    return;
  }
  watch(true);
}

void Socket::watch(bool write) {
  bool read = !paused_ || !open_;
  if (watch_ && watching_write_ == write && watching_read_ == read) return;
  watch_.reset();
  watching_write_ = write;
  watching_read_ = read;
  if (read || write) watch_ = loop_.watch_fd(fd_.get(), read, write, [this] { step(); });
}

// What TLS holds back decrypted would never make the descriptor readable: so look once when going on.
void Socket::pause(bool paused) {
  if (std::exchange(paused_, paused) == paused || !open_ || dead_) return;
  watch(!out_.empty());
  if (paused) return;
  loop_.post([this, alive = alive_] {
    if (*alive && !dead_ && !paused_) receive();
  });
}

void Socket::fail(Status status) {
  if (dead_) return;
  dead_ = true;
  watch_.reset();
  auto callback = open_ ? closed_ : ready_;
  callback(status);
}

void Socket::step() {
  auto alive = alive_;
  if (dead_) return;
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(failed("dial tcp " + where_ + ": connect", error));
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    if (getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length) != 0) return;  // not yet
    connected_ = true;
    if (tls_ && !(ssl_ = context() ? SSL_new(context()) : nullptr))
      return fail(Status(Reason::kInternalError, "no TLS"));
    if (ssl_) {
      SSL_set_fd(ssl_, fd_.get());
      if (!name_.empty()) SSL_set_tlsext_host_name(ssl_, name_.c_str());
      SSL_set_connect_state(ssl_);
    }
  }
  if (!open_) greet();
  if (!*alive || dead_ || !open_) return;
  if (!flush() || !*alive || dead_) return;
  receive();
}

void Socket::greet() {
  if (ssl_) {
    int n = SSL_do_handshake(ssl_);
    int why = n == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, n);
    if (why == SSL_ERROR_WANT_READ) return watch(false);
    if (why == SSL_ERROR_WANT_WRITE) return watch(true);
    if (why != SSL_ERROR_NONE) {
      ERR_clear_error();
      return fail(Status(Reason::kServiceUnavailable, "TLS handshake failed"));
    }
  }
  open_ = true;
  watch(false);
  auto ready = ready_;
  ready(Status());
}

bool Socket::flush() {
  while (!out_.empty()) {
    ssize_t n = ssl_ ? SSL_write(ssl_, out_.data(), static_cast<int>(out_.size()))
                     : ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (n > 0) {
      out_.erase(0, static_cast<size_t>(n));
      continue;
    }
    bool again = ssl_ ? SSL_get_error(ssl_, static_cast<int>(n)) == SSL_ERROR_WANT_WRITE ||
                            SSL_get_error(ssl_, static_cast<int>(n)) == SSL_ERROR_WANT_READ
                      : errno == EAGAIN || errno == EINTR;
    if (again) {
      watch(true);
      return true;
    }
    ERR_clear_error();
    fail(failed("write", errno));
    return false;
  }
  watch(false);
  return true;
}

void Socket::receive() {
  auto alive = alive_;
  char buffer[8192];
  while (*alive && !dead_ && !paused_) {
    ssize_t n = ssl_ ? SSL_read(ssl_, buffer, sizeof buffer) : ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n > 0) {
      auto data = data_;
      data(std::string_view(buffer, static_cast<size_t>(n)));
      continue;
    }
    if (ssl_) {
      int why = SSL_get_error(ssl_, static_cast<int>(n));
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
      ERR_clear_error();
      return fail(Status(Reason::kServiceUnavailable, "EOF"));
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    return fail(n == 0 ? Status(Reason::kServiceUnavailable, "EOF") : failed("read", errno));
  }
}

void Socket::write(std::string_view bytes) {
  if (dead_ || !open_) return;
  out_.append(bytes);
  flush();
}

}  // namespace lotse::agent
