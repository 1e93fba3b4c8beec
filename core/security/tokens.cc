// Service-account tokens: JSON Web Tokens (RFC 7519), ES256 (RFC 7518), with the claims that Kubernetes puts in
// ("Managing Service Accounts", bound tokens).
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/security/pem.h"
#include "core/security/security.h"

namespace lotse::security {
namespace {

constexpr size_t kTokenBytesMax = 16 * 1024;
constexpr size_t kKnownTokensMax = 4096;
constexpr size_t kHalf = 32;  // bytes of r and of s

int64_t seconds(WallTime t) { return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count(); }
WallTime wall(int64_t s) { return WallTime(std::chrono::seconds(s)); }

using SigPtr = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

// JWS wants r and s side by side, OpenSSL speaks DER.
std::string raw_from_der(const std::string& der) {
  auto* at = reinterpret_cast<const unsigned char*>(der.data());
  SigPtr sig(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!sig) return {};
  std::string raw(2 * kHalf, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(sig.get()), out, kHalf);
  BN_bn2binpad(ECDSA_SIG_get0_s(sig.get()), out + kHalf, kHalf);
  return raw;
}
std::string der_from_raw(const std::string& raw) {
  if (raw.size() != 2 * kHalf) return {};
  SigPtr sig(ECDSA_SIG_new());
  auto* in = reinterpret_cast<const unsigned char*>(raw.data());
  ECDSA_SIG_set0(sig.get(), BN_bin2bn(in, kHalf, nullptr), BN_bin2bn(in + kHalf, kHalf, nullptr));
  unsigned char* out = nullptr;
  int size = i2d_ECDSA_SIG(sig.get(), &out);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<char*>(out), static_cast<size_t>(size));
  OPENSSL_free(out);
  return der;
}

json::Value claims_to_json(const TokenClaims& c, const std::string& issuer) {
  json::Value audiences = json::Value::array();
  for (const auto& a : c.audiences) audiences.push(a);
  json::Value own = json::Value::object({{"namespace", c.ns}});
  own["serviceaccount"] = json::Value::object({{"name", c.service_account}, {"uid", c.service_account_uid}});
  if (!c.bound_kind.empty()) {
    std::string key = c.bound_kind == "Pod" ? "pod" : c.bound_kind == "Secret" ? "secret" : "node";
    own[key] = json::Value::object({{"name", c.bound_name}, {"uid", c.bound_uid}});
  }
  if (!c.node_name.empty()) own["node"] = json::Value::object({{"name", c.node_name}, {"uid", c.node_uid}});
  return json::Value::object({{"iss", issuer},
                              {"sub", "system:serviceaccount:" + c.ns + ":" + c.service_account},
                              {"aud", audiences},
                              {"exp", seconds(c.expires)},
                              {"iat", seconds(c.issued)},
                              {"nbf", seconds(c.issued)},
                              {"jti", c.id},
                              {"kubernetes.io", own}});
}

TokenClaims claims_from_json(const json::Value& v) {
  TokenClaims c;
  const auto& own = v["kubernetes.io"];
  c.ns = own["namespace"].str();
  c.service_account = own["serviceaccount"]["name"].str();
  c.service_account_uid = own["serviceaccount"]["uid"].str();
  for (auto [key, kind] : {std::pair{"pod", "Pod"}, {"secret", "Secret"}, {"node", "Node"}})
    if (c.bound_kind.empty() && own.find(key)) {
      c.bound_kind = kind;
      c.bound_name = own[key]["name"].str();
      c.bound_uid = own[key]["uid"].str();
    }
  c.node_name = own["node"]["name"].str();
  c.node_uid = own["node"]["uid"].str();
  for (const auto& a : v["aud"].items()) c.audiences.emplace_back(a.str());
  c.issued = wall(v["iat"].integer());
  c.expires = wall(v["exp"].integer());
  c.id = v["jti"].str();
  return c;
}

Status bad_token(std::string_view why) { return Status(Reason::kUnauthorized, "the token does not hold: " + std::string(why)); }

class JwtIssuer : public TokenIssuer {
 public:
  JwtIssuer(KeyPtr key, std::string key_id, std::string issuer, Clock& clock)
      : key_(std::move(key)), key_id_(std::move(key_id)), issuer_(std::move(issuer)), clock_(clock) {}

  Result<std::string> sign(const TokenClaims& claims) override {
    auto header = json::Value::object({{"alg", "ES256"}, {"kid", key_id_}, {"typ", "JWT"}});
    std::string text = base64url(json::write(header)) + "." + base64url(json::write(claims_to_json(claims, issuer_)));
    MdCtxPtr ctx(EVP_MD_CTX_new());
    size_t size = 0;
    auto* in = reinterpret_cast<const unsigned char*>(text.data());
    if (EVP_DigestSignInit(ctx.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(ctx.get(), nullptr, &size, in, text.size()) != 1)
      return openssl_error("signing a token");
    std::string der(size, '\0');
    if (EVP_DigestSign(ctx.get(), reinterpret_cast<unsigned char*>(der.data()), &size, in, text.size()) != 1) return openssl_error("signing a token");
    der.resize(size);
    return text + "." + base64url(raw_from_der(der));
  }

  Result<TokenClaims> verify(std::string_view token) override {
    if (token.size() > kTokenBytesMax) return bad_token("it is too long");
    std::string id = sha256_hex(token);
    {
      std::lock_guard lock(mutex_);
      if (auto it = known_.find(id); it != known_.end()) return in_time(it->second);
    }
    LOTSE_TRY(TokenClaims claims, check(token));
    std::lock_guard lock(mutex_);
    if (known_.size() >= kKnownTokensMax) known_.clear();
    known_.emplace(std::move(id), claims);
    return in_time(claims);
  }

  json::Value openid_configuration() const override {
    auto one = [](std::string_view s) { return json::Value::array({json::Value(s)}); };
    return json::Value::object({{"issuer", issuer_},
                                {"jwks_uri", issuer_ + "/openid/v1/jwks"},
                                {"response_types_supported", one("id_token")},
                                {"subject_types_supported", one("public")},
                                {"id_token_signing_alg_values_supported", one("ES256")}});
  }

  json::Value jwks() const override {
    auto coordinate = [&](const char* name) {
      BIGNUM* n = nullptr;
      EVP_PKEY_get_bn_param(key_.get(), name, &n);
      std::string raw(kHalf, '\0');
      BN_bn2binpad(n, reinterpret_cast<unsigned char*>(raw.data()), kHalf);
      BN_free(n);
      return base64url(raw);
    };
    auto key = json::Value::object({{"use", "sig"}, {"kty", "EC"}, {"kid", key_id_}, {"alg", "ES256"}, {"crv", "P-256"},
                                    {"x", coordinate(OSSL_PKEY_PARAM_EC_PUB_X)}, {"y", coordinate(OSSL_PKEY_PARAM_EC_PUB_Y)}});
    return json::Value::object({{"keys", json::Value::array({key})}});
  }

  std::string issuer() const override { return issuer_; }

 private:
  Result<TokenClaims> in_time(const TokenClaims& claims) const {
    if (clock_.now() >= claims.expires) return bad_token("it has expired");
    if (clock_.now() + std::chrono::minutes(1) < claims.issued) return bad_token("it is not valid yet");
    return claims;
  }

  Result<TokenClaims> check(std::string_view token) const {
    size_t first = token.find('.');
    size_t second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos) return bad_token("it is not a JSON Web Token");
    std::string header_text, claims_text, raw;
    if (!unbase64url(token.substr(0, first), &header_text) || !unbase64url(token.substr(first + 1, second - first - 1), &claims_text) ||
        !unbase64url(token.substr(second + 1), &raw))
      return bad_token("it is not a JSON Web Token");
    // Only the algorithm of our own key is ever accepted, whatever the header asks for (RFC 8725, section 3.1).
    auto header = json::parse(header_text);
    if (!header.ok() || (*header)["alg"].str() != "ES256") return bad_token("its algorithm is not ES256");
    if ((*header)["kid"].str() != key_id_) return bad_token("it was signed with another key");
    std::string der = der_from_raw(raw);
    MdCtxPtr ctx(EVP_MD_CTX_new());
    if (der.empty() || EVP_DigestVerifyInit(ctx.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestVerify(ctx.get(), reinterpret_cast<const unsigned char*>(der.data()), der.size(),
                         reinterpret_cast<const unsigned char*>(token.data()), second) != 1)
      return bad_token("its signature is wrong");
    auto claims = json::parse(claims_text);
    if (!claims.ok()) return bad_token("its claims are not JSON");
    if ((*claims)["iss"].str() != issuer_) return bad_token("it is of another issuer");
    if (!(*claims)["exp"].is_integer()) return bad_token("it has no time of expiry");
    return claims_from_json(*claims);
  }

  KeyPtr key_;
  std::string key_id_, issuer_;
  Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, TokenClaims> known_;  // by the hash of a token whose signature was seen to be right
};

}  // namespace

Result<std::unique_ptr<TokenIssuer>> TokenIssuer::open(const std::string& dir, const std::string& issuer, Clock& clock) {
  LOTSE_CHECK_OK(make_dirs(dir, 0700));
  std::string file = dir + "/sa.key";
  auto text = read_file(file, 1 << 16);
  KeyPtr key;
  if (text.ok()) {
    LOTSE_TRY(key, key_from_pem(*text));
  } else if (text.status().reason == Reason::kNotFound) {
    LOTSE_TRY(key, make_key());
    LOTSE_TRY(std::string pem, key_to_pem(key.get()));
    LOTSE_CHECK_OK(write_file_atomically(file, pem, 0600));
  } else {
    return text.status();
  }
  LOTSE_TRY(std::string der, public_der(key.get()));
  std::string key_id = sha256_hex(der).substr(0, 32);
  return std::unique_ptr<TokenIssuer>(new JwtIssuer(std::move(key), std::move(key_id), issuer, clock));
}

}  // namespace lotse::security
