#include "plugins/transport_rest/wire.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>

namespace lotse::transport_rest {
namespace {
constexpr size_t kRecordBytes = 16 * 1024;
constexpr size_t kSendBytes = 64 * 1024;
constexpr size_t kVectors = 64;
bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }
}  // namespace

// One for the process; it lives as long.
BIO_METHOD* Wire::method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lotse wire");
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH ? 1 : 0; });
    return m;
  }();
  return made;
}

int Wire::bio_read(BIO* bio, char* to, size_t size, size_t* done) {
  auto* self = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t n;
  do n = ::recv(self->fd_, to, size, 0);
  while (n < 0 && errno == EINTR);
  if (n > 0) {
    *done = static_cast<size_t>(n);
    return 1;
  }
  if (n == 0) self->read_ended_ = true;
  if (n < 0 && would_block()) BIO_set_retry_read(bio);
  return 0;
}

int Wire::bio_write(BIO* bio, const char* from, size_t size, size_t* done) {
  auto* self = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  self->buffers_.cipher.append(from, size);
  *done = size;
  return 1;
}

Wire::Wire(int fd, std::shared_ptr<const TlsContext> context, WireBuffers& buffers) : fd_(fd), context_(std::move(context)), buffers_(buffers) {
  if (!context_) return;
  ssl_ = SSL_new(context_->raw());
  if (!ssl_) throw std::bad_alloc();
  BIO* bio = BIO_new(method());
  if (!bio) {
    SSL_free(ssl_);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

Wire::~Wire() { SSL_free(ssl_); }

Wire::Result Wire::verdict(int result) {
  const int error = SSL_get_error(ssl_, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return Result::kBlockedRead;
  if (error == SSL_ERROR_WANT_WRITE) return Result::kBlocked;
  return error == SSL_ERROR_ZERO_RETURN || read_ended_ ? Result::kEnd : Result::kError;
}

// Sends what OpenSSL has put into the thread's buffer; keeps what the kernel does not take.
Wire::Result Wire::send_cipher() {
  std::string& cipher = buffers_.cipher;
  if (!unsent_.empty()) {
    unsent_ += cipher;
    cipher.clear();
  }
  std::string& all = unsent_.empty() ? cipher : unsent_;
  size_t at = 0;
  Result result = Result::kDone;
  while (at < all.size()) {
    const ssize_t n = ::send(fd_, all.data() + at, all.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      result = would_block() ? Result::kBlocked : Result::kError;
      break;
    }
    progressed_ = true;
    at += static_cast<size_t>(n);
  }
  if (&all == &cipher) {
    if (result == Result::kBlocked) unsent_.assign(cipher, at);
    cipher.clear();
  } else if (at == unsent_.size()) {
    std::string().swap(unsent_);
  } else {
    unsent_.erase(0, at);
  }
  return result;
}

Wire::Result Wire::handshake() {
  const int n = SSL_do_handshake(ssl_);
  const Result result = n == 1 ? Result::kDone : verdict(n);
  const Result sent = send_cipher();
  return sent == Result::kError ? sent : result;
}

Wire::Result Wire::read(size_t* size) {
  if (!ssl_) {
    ssize_t n;
    do n = ::recv(fd_, buffers_.read.data(), buffers_.read.size(), 0);
    while (n < 0 && errno == EINTR);
    *size = n > 0 ? static_cast<size_t>(n) : 0;
    return n > 0 ? Result::kDone : n == 0 ? Result::kEnd : would_block() ? Result::kBlockedRead : Result::kError;
  }
  const int ok = SSL_read_ex(ssl_, buffers_.read.data(), buffers_.read.size(), size);
  const Result result = ok == 1 ? Result::kDone : verdict(ok);
  // Reading may make OpenSSL speak (alerts, key updates).
  if (!buffers_.cipher.empty() && send_cipher() == Result::kError) return Result::kError;
  return result;
}

Wire::Result Wire::write(Output& output, size_t budget) {
  progressed_ = false;
  return ssl_ ? write_tls(output, budget) : write_plain(output, budget);
}

Wire::Result Wire::write_plain(Output& output, size_t budget) {
  size_t sent = 0;
  while (sent < budget) {
    iovec vectors[kVectors];
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = output.gather(vectors, kVectors);
    if (message.msg_iovlen == 0) return Result::kDone;
    const ssize_t n = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return would_block() ? Result::kBlocked : Result::kError;
    progressed_ = true;
    output.consume(static_cast<size_t>(n));
    sent += static_cast<size_t>(n);
  }
  return Result::kDone;
}

Wire::Result Wire::write_tls(Output& output, size_t budget) {
  size_t sent = 0;
  for (;;) {
    if (const Result result = send_cipher(); result != Result::kDone) return result;
    if (sent >= budget || output.empty()) return Result::kDone;
    while (buffers_.cipher.size() < kSendBytes) {
      // Records as full as can be: small parts of a scatter list are put together first.
      std::string_view now = output.front().substr(0, kRecordBytes);
      if (now.empty()) break;
      if (now.size() < kRecordBytes) now = std::string_view(buffers_.plain).substr(0, output.copy(buffers_.plain.data(), kRecordBytes));
      size_t written = 0;
      const int ok = SSL_write_ex(ssl_, now.data(), now.size(), &written);
      if (ok != 1) {
        buffers_.cipher.clear();
        return verdict(ok) == Result::kBlockedRead ? Result::kBlockedRead : Result::kError;
      }
      output.consume(written);
      sent += written;
    }
    if (buffers_.cipher.empty()) return Result::kDone;
  }
}

void Wire::shutdown() {
  if (ssl_) {
    SSL_shutdown(ssl_);
    ERR_clear_error();
    send_cipher();
  }
  ::shutdown(fd_, SHUT_WR);
}

}  // namespace lotse::transport_rest
