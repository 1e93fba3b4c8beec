#include "plugins/grpc_client/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/un.h>
#include <unistd.h>

namespace lotse::grpc_client {
namespace {

std::string text_of(int error) {
  return strerror(error);
}

class PlainWire : public Wire {
 public:
  explicit PlainWire(int fd) : fd_(fd) {}
  ~PlainWire() override { ::close(fd_); }

  WireResult establish(std::string* why) override {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      if (getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &length) == 0) return WireResult::ok;
      if (errno == ENOTCONN) return WireResult::again;
      error = errno;
    }
    *why = text_of(error);
    return WireResult::failed;
  }
  WireResult read(uint8_t* data, size_t size, size_t* got, std::string* why) override {
    ssize_t n;
    do n = recv(fd_, data, size, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0) return WireResult::closed;
    return result(n, got, why);
  }
  WireResult write(const char* data, size_t size, size_t* sent, std::string* why) override {
    ssize_t n;
    do n = send(fd_, data, size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return result(n, sent, why);
  }
  int fd() const override { return fd_; }

 private:
  static WireResult result(ssize_t n, size_t* count, std::string* why) {
    if (n >= 0) {
      *count = static_cast<size_t>(n);
      return WireResult::ok;
    }
    if (errno == EAGAIN) return WireResult::again;
    *why = text_of(errno);
    return WireResult::failed;
  }
  int fd_;
};

std::string tls_error(const SSL* ssl) {
  if (ssl != nullptr) {
    long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) return std::string("its certificate: ") + X509_verify_cert_error_string(verified);
  }
  unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  return reason != nullptr ? std::string("TLS: ") + reason : "TLS failed";
}

class TlsWire : public Wire {
 public:
  TlsWire(std::unique_ptr<PlainWire> plain, SSL* ssl) : plain_(std::move(plain)), ssl_(ssl) {}
  ~TlsWire() override { SSL_free(ssl_); }

  WireResult establish(std::string* why) override {
    if (!connected_) {
      WireResult result = plain_->establish(why);
      if (result != WireResult::ok) return result;
      connected_ = true;
    }
    if (handshaken_) return WireResult::ok;
    ERR_clear_error();
    int n = SSL_do_handshake(ssl_);
    if (n == 1) {
      handshaken_ = true;
      return WireResult::ok;
    }
    return result(n, why);
  }
  WireResult read(uint8_t* data, size_t size, size_t* got, std::string* why) override {
    ERR_clear_error();
    int n = SSL_read_ex(ssl_, data, size, got);
    return n == 1 ? WireResult::ok : result(n, why);
  }
  WireResult write(const char* data, size_t size, size_t* sent, std::string* why) override {
    ERR_clear_error();
    int n = SSL_write_ex(ssl_, data, size, sent);
    return n == 1 ? WireResult::ok : result(n, why);
  }
  int fd() const override { return plain_->fd(); }

 private:
  WireResult result(int n, std::string* why) {
    switch (SSL_get_error(ssl_, n)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return WireResult::again;
      case SSL_ERROR_ZERO_RETURN:
        return WireResult::closed;
      case SSL_ERROR_SYSCALL:
        *why = errno != 0 ? text_of(errno) : "the connection was closed";
        return WireResult::failed;
      default:
        *why = tls_error(ssl_);
        return WireResult::failed;
    }
  }
  std::unique_ptr<PlainWire> plain_;
  SSL* ssl_;
  bool connected_ = false;
  bool handshaken_ = false;
};

bool is_address(const std::string& name) {
  in6_addr address;
  return inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

SSL* new_session(const GrpcTarget& target, int fd) {
  SSL* ssl = SSL_new(target.tls.get());
  if (ssl == nullptr) return nullptr;
  SSL_set_connect_state(ssl);
  bool good = SSL_set_fd(ssl, fd) == 1;
  if (is_address(target.tls_name)) {
    good = good && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), target.tls_name.c_str()) == 1;
  } else {
    good = good && SSL_set1_host(ssl, target.tls_name.c_str()) == 1 &&
           SSL_set_tlsext_host_name(ssl, target.tls_name.c_str()) == 1;
  }
  if (good) return ssl;
  SSL_free(ssl);
  return nullptr;
}

}  // namespace

bool unix_target(const std::string& path, GrpcTarget& target) {
  auto* address = reinterpret_cast<sockaddr_un*>(&target.address);
  if (path.size() >= sizeof address->sun_path) return false;
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path.data(), path.size());
  target.address_size = sizeof *address;
  return true;
}

std::shared_ptr<SSL_CTX> tls_client_context(const TlsFiles& files, std::string* why) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX* c = context.get();
  auto refuse = [why](const std::string& what) -> std::shared_ptr<SSL_CTX> {
    *why = what + ": " + tls_error(nullptr);
    return nullptr;
  };
  if (c == nullptr) return refuse("no TLS context");
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(c, kHttp2, sizeof kHttp2);
  if (files.ca.empty()) {
    SSL_CTX_set_default_verify_paths(c);
  } else if (SSL_CTX_load_verify_locations(c, files.ca.c_str(), nullptr) != 1) {
    return refuse("the CA in " + files.ca + " cannot be used");
  }
  if (files.cert.empty()) return context;
  if (SSL_CTX_use_certificate_chain_file(c, files.cert.c_str()) != 1) {
    return refuse("the certificate in " + files.cert + " cannot be used");
  }
  if (SSL_CTX_use_PrivateKey_file(c, files.key.c_str(), SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1) {
    return refuse("the key in " + files.key + " cannot be used");
  }
  return context;
}

std::unique_ptr<Wire> dial(const GrpcTarget& target, std::string* why) {
  int family = target.address.ss_family;
  int fd = target.address_size == 0 ? -1 : socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    *why = target.address_size == 0 ? "it has no address" : text_of(errno);
    return nullptr;
  }
  auto plain = std::make_unique<PlainWire>(fd);
  if (family != AF_UNIX) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A machine that has gone silent is noticed by the kernel: no timer of ours wakes for it.
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    int seconds = 10, probes = 3, milliseconds = 15'000;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
  }
  if (connect(fd, reinterpret_cast<const sockaddr*>(&target.address), target.address_size) != 0 &&
      errno != EINPROGRESS) {
    *why = text_of(errno);
    return nullptr;
  }
  if (!target.tls) return plain;
  SSL* ssl = new_session(target, fd);
  if (ssl == nullptr) {
    *why = tls_error(nullptr);
    return nullptr;
  }
  return std::make_unique<TlsWire>(std::move(plain), ssl);
}

}  // namespace lotse::grpc_client
