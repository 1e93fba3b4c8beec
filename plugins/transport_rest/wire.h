// Bytes over a non-blocking socket, with TLS or without. OpenSSL works on the socket through a BIO of ours: what it writes
// is gathered and sent in large pieces, and the buffers belong to the thread, so that an idle connection holds none.
#pragma once
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "plugins/transport_rest/output.h"
#include "plugins/transport_rest/tls_context.h"

namespace lotse::transport_rest {

// Buffers that all wires of one thread share.
struct WireBuffers {
  std::string read = std::string(64 * 1024, '\0');
  std::string plain = std::string(16 * 1024, '\0');
  std::string cipher;
};

class Wire {
 public:
  enum class Result { kDone, kBlocked, kBlockedRead, kEnd, kError };
  // `context` is null for plain bytes. Does not own the descriptor.
  Wire(int fd, std::shared_ptr<const TlsContext> context, WireBuffers& buffers);
  ~Wire();
  Wire(const Wire&) = delete;
  bool is_tls() const { return ssl_ != nullptr; }
  SSL* ssl() const { return ssl_; }
  uint32_t generation() const { return context_ ? context_->generation() : 0; }
  // One step of the handshake: kDone once it is over.
  Result handshake();
  // kDone: *size bytes are in buffers.read. kBlockedRead: nothing there at the moment.
  Result read(size_t* size);
  // After a read of `size` bytes: false if there is surely nothing more that epoll would not tell of.
  bool may_hold_more(size_t size) const { return ssl_ ? SSL_has_pending(ssl_) != 0 : size == buffers_.read.size(); }
  // Writes from output, at most about `budget` bytes. kDone: no more to write, or the budget is used up.
  Result write(Output& output, size_t budget);
  bool has_unsent() const { return !unsent_.empty(); }
  // Says that nothing more will be sent.
  void shutdown();
  bool progressed() const { return progressed_; }  // by the last write

 private:
  static BIO_METHOD* method();
  static int bio_read(BIO* bio, char* to, size_t size, size_t* done);
  static int bio_write(BIO* bio, const char* from, size_t size, size_t* done);
  Result send_cipher();
  Result write_plain(Output& output, size_t budget);
  Result write_tls(Output& output, size_t budget);
  Result verdict(int result);

  const int fd_;
  std::shared_ptr<const TlsContext> context_;
  WireBuffers& buffers_;
  SSL* ssl_ = nullptr;
  std::string unsent_;  // encrypted, refused by the kernel
  bool progressed_ = false, read_ended_ = false;
};

}  // namespace lotse::transport_rest
