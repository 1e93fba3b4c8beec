#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <zmq.h>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/security/pem.h"
#include "core/security/security.h"

namespace lotse::security {
namespace {

constexpr size_t kKeyBytes = 32, kNonceBytes = 12, kTagBytes = 16;
using KdfCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;

unsigned char* bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }
const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }

// HKDF (RFC 5869) with SHA-256; the purpose is the info.
std::string derive(std::string_view secret, std::string_view purpose) {
  KdfCtxPtr ctx(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  std::string key(kKeyBytes, '\0');
  size_t size = key.size();
  EVP_PKEY_derive_init(ctx.get());
  EVP_PKEY_CTX_set_hkdf_md(ctx.get(), EVP_sha256());
  EVP_PKEY_CTX_set1_hkdf_salt(ctx.get(), bytes(std::string_view("lotse")), 5);
  EVP_PKEY_CTX_set1_hkdf_key(ctx.get(), bytes(secret), static_cast<int>(secret.size()));
  EVP_PKEY_CTX_add1_hkdf_info(ctx.get(), bytes(purpose), static_cast<int>(purpose.size()));
  if (EVP_PKEY_derive(ctx.get(), bytes(key), &size) != 1) key.clear();
  return key;
}

using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

// X25519 (RFC 7748) of CURVE's keys, which are keys of that curve.
Result<std::string> agree(const std::string& secret_z85, const std::string& public_z85) {
  const Status bad(Reason::kBadRequest, "this is not a CURVE key");
  uint8_t secret[kKeyBytes], peer[kKeyBytes];
  if (secret_z85.size() != 40 || public_z85.size() != 40 || !zmq_z85_decode(secret, secret_z85.c_str()) || !zmq_z85_decode(peer, public_z85.c_str())) return bad;
  KeyPtr own(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret, sizeof secret)), other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer, sizeof peer));
  OPENSSL_cleanse(secret, sizeof secret);
  if (!own || !other) return bad;
  KdfCtxPtr ctx(EVP_PKEY_CTX_new(own.get(), nullptr));
  std::string shared(kKeyBytes, '\0');
  size_t size = shared.size();
  if (EVP_PKEY_derive_init(ctx.get()) != 1 || EVP_PKEY_derive_set_peer(ctx.get(), other.get()) != 1 || EVP_PKEY_derive(ctx.get(), bytes(shared), &size) != 1) return bad;
  return shared;
}

}  // namespace

CurvePair make_curve_pair() {
  char pub[41] = {}, secret[41] = {};
  zmq_curve_keypair(pub, secret);
  return {pub, secret};
}

Result<CurvePair> open_curve_pair(const std::string& file) {
  auto text = read_file(file, 256);
  if (text.ok()) {
    CurvePair pair;
    pair.secret_z85 = text->substr(0, text->find('\n'));
    char pub[41] = {};
    if (pair.secret_z85.size() != 40 || zmq_curve_public(pub, pair.secret_z85.c_str()) != 0)
      return Status(Reason::kInternalError, file + " does not hold a CURVE key of 40 characters");
    pair.public_z85 = pub;
    return pair;
  }
  if (text.status().reason != Reason::kNotFound) return text.status();
  CurvePair pair = make_curve_pair();
  LOTSE_CHECK_OK(write_file_atomically(file, pair.secret_z85 + "\n", 0600));
  return pair;
}

std::string seal(std::string_view secret, std::string_view purpose, std::string_view plain) {
  std::string key = derive(secret, purpose);
  std::string out(kNonceBytes + plain.size() + kTagBytes, '\0');
  uint8_t nonce[kNonceBytes];
  fill_random(nonce);
  std::memcpy(out.data(), nonce, sizeof nonce);
  CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0;
  EVP_EncryptInit_ex(ctx.get(), EVP_aes_256_gcm(), nullptr, bytes(key), nonce);
  EVP_EncryptUpdate(ctx.get(), bytes(out) + kNonceBytes, &size, bytes(plain), static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(ctx.get(), bytes(out) + kNonceBytes + size, &size);
  EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, bytes(out) + kNonceBytes + plain.size());
  return out;
}

Result<std::string> unseal(std::string_view secret, std::string_view purpose, std::string_view sealed) {
  const Status bad(Reason::kInternalError, "sealed with another key, or damaged");
  if (sealed.size() < kNonceBytes + kTagBytes) return bad;
  std::string key = derive(secret, purpose);
  std::string_view body = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes)), out(body.size(), '\0');
  CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int size = 0;
  if (EVP_DecryptInit_ex(ctx.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(sealed)) != 1 ||
      EVP_DecryptUpdate(ctx.get(), bytes(out), &size, bytes(body), static_cast<int>(body.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(ctx.get(), bytes(out) + size, &size) != 1)
    return bad;
  return out;
}

Result<std::string> seal_for(const std::string& public_z85, std::string_view purpose, std::string_view plain) {
  const CurvePair once = make_curve_pair();
  LOTSE_TRY(std::string shared, agree(once.secret_z85, public_z85));
  return once.public_z85 + seal(shared + once.public_z85 + public_z85, purpose, plain);
}

Result<std::string> unseal_with(const CurvePair& keys, std::string_view purpose, std::string_view sealed) {
  if (sealed.size() < 40) return Status(Reason::kInternalError, "sealed with another key, or damaged");
  const std::string once(sealed.substr(0, 40));
  LOTSE_TRY(std::string shared, agree(keys.secret_z85, once));
  return unseal(shared + once + keys.public_z85, purpose, sealed.substr(40));
}

}  // namespace lotse::security
