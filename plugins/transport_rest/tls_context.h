// What new TLS handshakes use: the host's certificate, TLS 1.2 and above, client certificates asked for but not judged.
//
// Sessions are not resumed: a resumed session carries only the leaf of the client's chain, and authentication must not
// depend on whether a client happened to come back. A P-256 handshake costs some 100 microseconds.
#pragma once
#include <lotse/abi/transport.h>
#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lotse::transport_rest {

class TlsContext {
 public:
  // Throws sdk::Failure with what is wrong with the material.
  explicit TlsContext(const lotse_tls_material& material);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  SSL_CTX* raw() const { return context_; }
  uint32_t generation() const { return generation_; }

 private:
  SSL_CTX* context_ = nullptr;
  uint32_t generation_ = 0;
};

// The context in use. [any thread]
class TlsSlot {
 public:
  void set(std::shared_ptr<const TlsContext> context);
  std::shared_ptr<const TlsContext> get() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsContext> context_;
};

// The client's chain, DER, leaf first; it has proven to hold the leaf's key.
std::vector<std::string> peer_chain(SSL* ssl);

}  // namespace lotse::transport_rest
