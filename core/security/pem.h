// OpenSSL's objects with owners, and PEM in and out. Private to core/security.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/base/result.h"

namespace lotse::security {

template <auto fn>
struct Free {
  template <class T> void operator()(T* p) const { fn(p); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Free<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

Status openssl_error(std::string_view doing);  // with OpenSSL's own words; empties its queue
Result<KeyPtr> make_key();                     // ECDSA P-256
Result<std::string> key_to_pem(EVP_PKEY* key);
Result<std::string> cert_to_pem(X509* cert);
Result<KeyPtr> key_from_pem(std::string_view pem);
Result<CertPtr> cert_from_pem(std::string_view pem);
Result<CertPtr> cert_from_der(std::string_view der);
Result<std::string> public_der(EVP_PKEY* key);

}  // namespace lotse::security
