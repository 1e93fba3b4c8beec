#include "bench/client/tls_connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace lotse::bench {
namespace {
constexpr size_t kReadBytes = 64 << 10;

[[noreturn]] void fail(const std::string& what) {
  char text[256] = "";
  if (unsigned long code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  throw std::runtime_error(what + ": " + (*text ? text : strerror(errno)));
}
}  // namespace

TlsConnection::TlsConnection(const Server& server) : host_(server.host) {
  context_ = SSL_CTX_new(TLS_client_method());
  const std::string& dir = server.credentials;
  if (SSL_CTX_use_certificate_chain_file(context_, (dir + "/client.crt").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context_, (dir + "/client.key").c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(context_, (dir + "/ca.crt").c_str(), nullptr) != 1) {
    fail("credentials");
  }
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server.port));
  inet_pton(AF_INET, server.host.c_str(), &address.sin_addr);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  if (SSL_connect(ssl_) != 1) fail("TLS handshake");
  buffer_.reserve(2 * kReadBytes);
}

TlsConnection::~TlsConnection() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  if (fd_ >= 0) close(fd_);
}

void TlsConnection::send(std::string_view method, std::string_view path, std::string_view body) {
  std::string text;
  text.reserve(256 + body.size());
  text.append(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: ").append(host_);
  if (!body.empty()) {
    text.append("\r\nContent-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size()));
  }
  text.append("\r\n\r\n").append(body);
  if (SSL_write(ssl_, text.data(), static_cast<int>(text.size())) <= 0) fail("write");
}

void TlsConnection::fill() {
  if (at_ > 0) buffer_.erase(0, at_), at_ = 0;
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  int got = SSL_read(ssl_, buffer_.data() + before, kReadBytes);
  buffer_.resize(before + static_cast<size_t>(std::max(got, 0)));
  if (got <= 0) fail("read");
}

std::string TlsConnection::line() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n", at_)) == std::string::npos) fill();
  std::string out = buffer_.substr(at_, end - at_);
  at_ = end + 2;
  return out;
}

void TlsConnection::read_head() {
  const std::string first = line();
  status_ = first.size() > 12 ? std::stoi(first.substr(9, 3)) : 0;
  chunked_ = false, length_ = 0;
  for (std::string header = line(); !header.empty(); header = line()) {
    if (strncasecmp(header.c_str(), "content-length:", 15) == 0) length_ = std::stoul(header.substr(15));
    if (strncasecmp(header.c_str(), "transfer-encoding:", 18) == 0) chunked_ = true;
  }
}

void TlsConnection::take(size_t size, std::string* out) {
  while (size > 0) {
    if (at_ == buffer_.size()) fill();
    const size_t now = std::min(size, buffer_.size() - at_);
    if (out != nullptr) out->append(buffer_, at_, now);
    at_ += now, size -= now;
  }
}

bool TlsConnection::chunk(std::string& out) {
  const size_t size = std::stoul(line(), nullptr, 16);
  take(size, &out);
  line();
  return size > 0;
}

TlsConnection::Answer TlsConnection::ask(std::string_view method, std::string_view path, std::string_view body,
                                         bool keep_body) {
  send(method, path, body);
  read_head();
  Answer answer{status_, {}, 0};
  if (chunked_) {
    while (chunk(answer.body)) {
    }
    answer.bytes = answer.body.size();
  } else {
    answer.bytes = length_;
    take(length_, keep_body ? &answer.body : nullptr);
  }
  return answer;
}

}  // namespace lotse::bench
