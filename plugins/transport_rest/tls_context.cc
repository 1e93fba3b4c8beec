#include "plugins/transport_rest/tls_context.h"

#include <lotse/error.hpp>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace lotse::transport_rest {
namespace {

// In OpenSSL's order of preference; TLS 1.3's own suites come before all of these.
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphers13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

[[noreturn]] void fail(const std::string& what) {
  char text[256] = "";
  if (const unsigned long code = ERR_peek_last_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  throw sdk::Failure(LOTSE_INVALID, what + (text[0] ? std::string(": ") + text : ""));
}

struct Bio {
  explicit Bio(lotse_bytes pem) : raw(BIO_new_mem_buf(pem.data, static_cast<int>(pem.size))) {}
  ~Bio() { BIO_free(raw); }
  BIO* raw;
};

void use_certificate(SSL_CTX* context, lotse_bytes pem) {
  Bio bio(pem);
  X509* leaf = PEM_read_bio_X509(bio.raw, nullptr, nullptr, nullptr);
  if (!leaf) fail("the server certificate cannot be read");
  const bool used = SSL_CTX_use_certificate(context, leaf) == 1;
  X509_free(leaf);
  if (!used) fail("the server certificate cannot be used");
  while (X509* next = PEM_read_bio_X509(bio.raw, nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      fail("the server's certificate chain cannot be used");
    }
  }
  ERR_clear_error();  // the end of the text counts as an error
}

void use_key(SSL_CTX* context, lotse_bytes pem) {
  Bio bio(pem);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.raw, nullptr, nullptr, nullptr);
  if (!key) fail("the server's private key cannot be read");
  const bool used = SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  if (!used || SSL_CTX_check_private_key(context) != 1) fail("the server's private key does not belong to its certificate");
}

void ask_for_client_certificates(SSL_CTX* context, lotse_bytes pem) {
  Bio bio(pem);
  while (X509* ca = PEM_read_bio_X509(bio.raw, nullptr, nullptr, nullptr)) {
    SSL_CTX_add_client_CA(context, ca);
    X509_free(ca);
  }
  ERR_clear_error();
  // Who a certificate names and whether it counts is decided by the host; TLS itself makes sure of the key.
  SSL_CTX_set_cert_verify_callback(context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void*) {
  static const unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof kHttp11 - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;  // a client that insists on something else will notice
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TlsContext::TlsContext(const lotse_tls_material& material) : context_(SSL_CTX_new(TLS_server_method())), generation_(material.generation) {
  if (!context_) fail("TLS cannot be started");
  try {
    SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
    if (SSL_CTX_set_cipher_list(context_, kCiphers12) != 1 || SSL_CTX_set_ciphersuites(context_, kCiphers13) != 1) fail("no cipher is left");
    SSL_CTX_set_options(context_, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                      SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(context_, 0);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    // Idle connections hold no record buffers.
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context_, 1);
    SSL_CTX_set_max_cert_list(context_, 64 * 1024);
    SSL_CTX_set_alpn_select_cb(context_, choose_protocol, nullptr);
    use_certificate(context_, material.certificate);
    use_key(context_, material.key);
    ask_for_client_certificates(context_, material.client_ca);
  } catch (...) {
    SSL_CTX_free(context_);
    throw;
  }
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

void TlsSlot::set(std::shared_ptr<const TlsContext> context) {
  std::lock_guard<std::mutex> lock(mutex_);
  context_.swap(context);
}

std::shared_ptr<const TlsContext> TlsSlot::get() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return context_;
}

std::vector<std::string> peer_chain(SSL* ssl) {
  std::vector<std::string> out;
  const auto add = [&out](X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    if (size > 0) out.emplace_back(reinterpret_cast<char*>(der), static_cast<size_t>(size));
    OPENSSL_free(der);
  };
  // On a server the chain leaves out the leaf.
  if (X509* leaf = SSL_get0_peer_certificate(ssl)) add(leaf);
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; chain && i < sk_X509_num(chain); ++i) add(sk_X509_value(chain, i));
  return out;
}

}  // namespace lotse::transport_rest
