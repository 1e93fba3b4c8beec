#include <list>

#include <arpa/inet.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/security/pem.h"
#include "core/security/security.h"

namespace lotse::security {
namespace {

constexpr Duration kCaLifetime = std::chrono::hours(24 * 365 * 10);
constexpr Duration kServingLifetime = std::chrono::hours(24 * 365);
constexpr Duration kBackdate = std::chrono::minutes(5);  // clocks of clients differ a little
constexpr size_t kKnownChainsMax = 4096;

using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
struct FreeStack { void operator()(STACK_OF(X509) * s) const { sk_X509_pop_free(s, X509_free); } };

time_t seconds(WallTime t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); }

WallTime not_after(const X509* cert) {
  tm parts{};
  ASN1_TIME_to_tm(X509_get0_notAfter(cert), &parts);
  return WallTime(std::chrono::seconds(timegm(&parts)));
}
WallTime not_before(const X509* cert) {
  tm parts{};
  ASN1_TIME_to_tm(X509_get0_notBefore(cert), &parts);
  return WallTime(std::chrono::seconds(timegm(&parts)));
}
WallTime renewal_time(const X509* cert) {
  auto from = not_before(cert);
  return from + (not_after(cert) - from) / 3 * 2;
}

bool add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* ext = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str());
  if (!ext) return false;
  bool ok = X509_add_ext(cert, ext, -1);
  X509_EXTENSION_free(ext);
  return ok;
}

// Names go in as ASN.1 values, never through OpenSSL's configuration syntax, in which a comma would mean something.
bool add_names(X509* cert, const CertificateRequest& request) {
  if (request.dns_names.empty() && request.ip_addresses.empty()) return true;
  GENERAL_NAMES* names = sk_GENERAL_NAME_new_null();
  for (const auto& dns : request.dns_names) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, dns.data(), static_cast<int>(dns.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names, name);
  }
  for (const auto& ip : request.ip_addresses) {
    ASN1_OCTET_STRING* raw = a2i_IPADDRESS(ip.c_str());
    if (!raw) continue;
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_IPADD, raw);
    sk_GENERAL_NAME_push(names, name);
  }
  bool ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1;
  sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
  return ok;
}

void add_name_entry(X509_NAME* name, const char* field, std::string_view value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                             static_cast<int>(value.size()), -1, 0);
}

std::string text_of(X509_NAME_ENTRY* entry) {
  unsigned char* text = nullptr;
  int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) return {};
  std::string out(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return out;
}

User user_of(const X509* cert) {
  User user;
  X509_NAME* subject = X509_get_subject_name(cert);
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (nid == NID_commonName) user.name = text_of(entry);
    if (nid == NID_organizationName) user.groups.push_back(text_of(entry));
  }
  user.groups.emplace_back(kGroupAuthenticated);
  return user;
}

class OwnAuthority : public Authority {
 public:
  OwnAuthority(std::string dir, Clock& clock, CertPtr ca, KeyPtr key, std::string ca_pem)
      : dir_(std::move(dir)), clock_(clock), ca_(std::move(ca)), key_(std::move(key)), ca_pem_(std::move(ca_pem)), store_(X509_STORE_new()) {
    X509_STORE_add_cert(store_.get(), ca_.get());
  }

  std::string ca_pem() const override { return ca_pem_; }

  Result<KeyPair> issue(const CertificateRequest& request) override {
    LOTSE_TRY(KeyPtr key, make_key());
    LOTSE_TRY(CertPtr cert, sign(clock_.now(), request, key.get(), ca_.get(), key_.get()));
    KeyPair pair;
    LOTSE_TRY(pair.certificate_pem, cert_to_pem(cert.get()));
    LOTSE_TRY(pair.key_pem, key_to_pem(key.get()));
    return pair;
  }

  Result<KeyPair> serving(const std::vector<std::string>& dns_names, const std::vector<std::string>& ips, bool* changed) override {
    if (changed) *changed = false;
    auto kept = read_pair();
    if (kept.ok()) {
      auto cert = cert_from_pem(kept->certificate_pem);
      if (cert.ok() && still_good(cert->get(), dns_names, ips)) {
        std::lock_guard lock(mutex_);
        next_rotation_ = renewal_time(cert->get());
        return kept;
      }
    }
    CertificateRequest request;
    request.common_name = "kube-apiserver";
    request.dns_names = dns_names;
    request.ip_addresses = ips;
    request.server = true;
    request.lifetime = kServingLifetime;
    LOTSE_TRY(KeyPair pair, issue(request));
    LOTSE_CHECK_OK(write_file_atomically(dir_ + "/serving.key", pair.key_pem, 0600));
    LOTSE_CHECK_OK(write_file_atomically(dir_ + "/serving.crt", pair.certificate_pem, 0600));
    LOTSE_TRY(CertPtr cert, cert_from_pem(pair.certificate_pem));
    {
      std::lock_guard lock(mutex_);
      next_rotation_ = renewal_time(cert.get());
    }
    if (changed) *changed = true;
    return pair;
  }

  WallTime next_rotation() const override {
    std::lock_guard lock(mutex_);
    return next_rotation_;
  }

  Result<User> authenticate(std::span<const std::string> chain) const override {
    if (chain.empty()) return Status(Reason::kUnauthorized, "no client certificate was given");
    std::string id;
    for (const auto& der : chain) id += sha256_hex(der);
    {
      std::lock_guard lock(mutex_);
      if (auto it = known_.find(id); it != known_.end()) {
        if (clock_.now() < it->second.until && clock_.now() >= it->second.from) return it->second.user;
        known_.erase(it);
      }
    }
    LOTSE_TRY(Known known, verify(chain));
    std::lock_guard lock(mutex_);
    if (known_.size() >= kKnownChainsMax) known_.clear();
    User user = known.user;
    known_.emplace(std::move(id), std::move(known));
    return user;
  }

  static Result<CertPtr> sign(WallTime now, const CertificateRequest& request, EVP_PKEY* subject_key, X509* issuer, EVP_PKEY* issuer_key) {
    CertPtr cert(X509_new());
    X509_set_version(cert.get(), 2);
    uint8_t serial[16];
    fill_random(serial);
    serial[0] &= 0x7f;
    BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert.get()));
    BN_free(number);
    ASN1_TIME_set(X509_getm_notBefore(cert.get()), seconds(now - kBackdate));
    ASN1_TIME_set(X509_getm_notAfter(cert.get()), seconds(now + request.lifetime));
    X509_NAME* subject = X509_get_subject_name(cert.get());
    for (const auto& organization : request.organizations) add_name_entry(subject, "O", organization);
    add_name_entry(subject, "CN", request.common_name);
    X509_set_pubkey(cert.get(), subject_key);
    const bool self = issuer == nullptr;
    X509* by = self ? cert.get() : issuer;
    X509_set_issuer_name(cert.get(), X509_get_subject_name(by));
    std::string usages;
    if (request.server) usages += "serverAuth";
    if (request.client) usages += usages.empty() ? "clientAuth" : ",clientAuth";
    bool ok = add_extension(cert.get(), by, NID_basic_constraints, self ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
              add_extension(cert.get(), by, NID_key_usage, self ? "critical,digitalSignature,keyCertSign,cRLSign" : "critical,digitalSignature") &&
              add_extension(cert.get(), by, NID_subject_key_identifier, "hash") &&
              (self || add_extension(cert.get(), by, NID_authority_key_identifier, "keyid")) &&
              (usages.empty() || add_extension(cert.get(), by, NID_ext_key_usage, usages)) && add_names(cert.get(), request);
    if (!ok || !X509_sign(cert.get(), issuer_key, EVP_sha256())) return openssl_error("signing a certificate for " + request.common_name);
    return cert;
  }

 private:
  struct Known { User user; WallTime from, until; };

  Result<Known> verify(std::span<const std::string> chain) const {
    LOTSE_TRY(CertPtr leaf, cert_from_der(chain[0]));
    std::unique_ptr<STACK_OF(X509), FreeStack> rest(sk_X509_new_null());
    for (size_t i = 1; i < chain.size() && i < 8; ++i) {
      LOTSE_TRY(CertPtr cert, cert_from_der(chain[i]));
      sk_X509_push(rest.get(), cert.release());
    }
    StoreCtxPtr ctx(X509_STORE_CTX_new());
    X509_STORE_CTX_init(ctx.get(), store_.get(), leaf.get(), rest.get());
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(ctx.get());
    X509_VERIFY_PARAM_set_time(param, seconds(clock_.now()));
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
    if (X509_verify_cert(ctx.get()) != 1)
      return Status(Reason::kUnauthorized, std::string("the client certificate does not hold: ") +
                                               X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx.get())));
    Known known{user_of(leaf.get()), not_before(leaf.get()), not_after(leaf.get())};
    if (known.user.name.empty()) return Status(Reason::kUnauthorized, "the client certificate names no user (its common name is empty)");
    return known;
  }

  Result<KeyPair> read_pair() const {
    KeyPair pair;
    LOTSE_TRY(pair.certificate_pem, read_file(dir_ + "/serving.crt", 1 << 16));
    LOTSE_TRY(pair.key_pem, read_file(dir_ + "/serving.key", 1 << 16));
    return pair;
  }

  bool still_good(X509* cert, const std::vector<std::string>& dns_names, const std::vector<std::string>& ips) const {
    if (X509_verify(cert, X509_get0_pubkey(ca_.get())) != 1) return false;
    if (clock_.now() < not_before(cert) || clock_.now() >= renewal_time(cert)) return false;
    for (const auto& dns : dns_names)
      if (X509_check_host(cert, dns.data(), dns.size(), 0, nullptr) != 1) return false;
    for (const auto& ip : ips)
      if (X509_check_ip_asc(cert, ip.c_str(), 0) != 1) return false;
    return true;
  }

  std::string dir_;
  Clock& clock_;
  CertPtr ca_;
  KeyPtr key_;
  std::string ca_pem_;
  StorePtr store_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, Known> known_;
  WallTime next_rotation_{};
};

}  // namespace

Result<std::unique_ptr<Authority>> Authority::open(const std::string& dir, Clock& clock) {
  LOTSE_CHECK_OK(make_dirs(dir, 0700));
  auto cert_pem = read_file(dir + "/ca.crt", 1 << 16);
  auto key_pem = read_file(dir + "/ca.key", 1 << 16);
  CertPtr cert;
  KeyPtr key;
  std::string pem;
  if (cert_pem.ok() && key_pem.ok()) {
    LOTSE_TRY(cert, cert_from_pem(*cert_pem));
    LOTSE_TRY(key, key_from_pem(*key_pem));
    if (X509_check_private_key(cert.get(), key.get()) != 1)
      return Status(Reason::kInternalError, dir + "/ca.key does not belong to " + dir + "/ca.crt");
    pem = *cert_pem;
  } else if (cert_pem.ok() || (!key_pem.ok() && key_pem.status().reason != Reason::kNotFound)) {
    return Status(Reason::kInternalError, "the cluster's CA in " + dir + " is not whole: " +
                                              (cert_pem.ok() ? key_pem.status().message : cert_pem.status().message));
  } else {
    // The key is written first: a certificate on disk always has its key.
    LOTSE_TRY(key, make_key());
    CertificateRequest request;
    request.common_name = "lotse-ca";
    request.lifetime = kCaLifetime;
    LOTSE_TRY(cert, OwnAuthority::sign(clock.now(), request, key.get(), nullptr, key.get()));
    LOTSE_TRY(pem, cert_to_pem(cert.get()));
    LOTSE_TRY(std::string text, key_to_pem(key.get()));
    LOTSE_CHECK_OK(write_file_atomically(dir + "/ca.key", text, 0600));
    LOTSE_CHECK_OK(write_file_atomically(dir + "/ca.crt", pem, 0600));
  }
  return std::unique_ptr<Authority>(new OwnAuthority(dir, clock, std::move(cert), std::move(key), std::move(pem)));
}

}  // namespace lotse::security
