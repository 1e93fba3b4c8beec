// Authentication and authorization. The CA, the keys and the tokens live in DIR/pki (0600) on the masters.
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/object/json.h"
#include "core/object/object.h"
#include "core/security/identity.h"

namespace lotse::security {

// ---- Certificates (certificates.cc, authority.cc) ----
struct KeyPair { std::string certificate_pem, key_pem; };

struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names, ip_addresses;
  bool server = false, client = false;
  Duration lifetime = std::chrono::hours(24 * 365);
};

// The cluster's own CA (ECDSA P-256), made at the first start, kept in DIR/pki.
class Authority {
 public:
  static Result<std::unique_ptr<Authority>> open(const std::string& pki_dir, Clock& clock);
  virtual ~Authority() = default;
  virtual std::string ca_pem() const = 0;
  virtual Result<KeyPair> issue(const CertificateRequest& request) = 0;
  // The serving certificate: kept in pki_dir, made anew when two thirds of its life have passed or the names change.
  // `changed` is set if it is another one than before.
  virtual Result<KeyPair> serving(const std::vector<std::string>& dns_names, const std::vector<std::string>& ips, bool* changed) = 0;
  // When a certificate of ours should next be looked at.
  virtual WallTime next_rotation() const = 0;
  // A chain that ends at our CA, valid now, for client authentication: CN is the user, O are the groups.
  virtual Result<User> authenticate(std::span<const std::string> der_chain) const = 0;
};

// ---- Service-account tokens (tokens.cc): JWT, ES256, key in DIR/pki ----
struct TokenClaims {
  std::string ns, service_account, service_account_uid;
  std::string bound_kind, bound_name, bound_uid;  // "Pod", "Secret", "Node"; empty: not bound
  std::string node_name, node_uid;
  std::vector<std::string> audiences;
  WallTime issued{}, expires{};
  std::string id;  // jti
};
class TokenIssuer {
 public:
  static Result<std::unique_ptr<TokenIssuer>> open(const std::string& pki_dir, const std::string& issuer, Clock& clock);
  virtual ~TokenIssuer() = default;
  virtual Result<std::string> sign(const TokenClaims& claims) = 0;
  virtual Result<TokenClaims> verify(std::string_view token) = 0;  // signature, issuer, time; not whether the objects still exist
  virtual json::Value openid_configuration() const = 0;
  virtual json::Value jwks() const = 0;
  virtual std::string issuer() const = 0;
};

// How this room reads what it must know about objects; nullptr: there is no such object.
using Lookup = std::function<ObjectPtr(std::string_view group, std::string_view resource, std::string_view ns, std::string_view name)>;

// ---- Authentication (authenticate.cc): certificate, then token, else anonymous ----
class Authenticator {
 public:
  Authenticator(const Authority& authority, TokenIssuer& tokens, Lookup lookup);
  // kUnauthorized for credentials that do not hold. Without any: system:anonymous.
  Result<User> authenticate(const Peer& peer, const std::vector<std::string>& audiences = {}) const;
  // For TokenReview: with the audiences that matched.
  Result<User> authenticate_token(std::string_view token, const std::vector<std::string>& audiences, std::vector<std::string>* matched) const;

 private:
  const Authority& authority_;
  TokenIssuer& tokens_;
  Lookup lookup_;
};

// ---- Authorization ----
struct Attributes {
  std::string verb;  // "get", "create", "deletecollection", "impersonate", ...
  std::string group, version, resource, subresource, ns, name;
  std::string path;  // non-resource
  bool is_resource = true;
  std::string field_selector;  // of a list, watch or deletecollection, as it came; the Node authorizer looks at it
};
enum class Verdict : uint8_t { kAllow, kDeny, kNoOpinion };
struct Decision { Verdict verdict; std::string reason; };

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Decision authorize(const User& user, const Attributes& attributes) = 0;
  // For SelfSubjectRulesReview: {resourceRules, nonResourceRules, incomplete}.
  virtual json::Value rules(const User& user, std::string_view ns) = 0;
  // What it indexes changes: call for every event of roles, bindings, pods and what pods reference, in order.
  // `object` null: deleted.
  virtual void observe(std::string_view group, std::string_view resource, const ObjectPtr& object, const ObjectPtr& previous) = 0;
  // After all there is was observed anew: what of that resource is not among `there` ("ns/name") has gone unseen.
  virtual void retain(std::string_view group, std::string_view resource, const std::set<std::string>& there) = 0;
};
std::unique_ptr<Authorizer> make_rbac_authorizer();   // indexes roles and bindings; system:masters may do everything
// Nodes: their own Node, Lease and pods, and the secrets, configmaps, tokens and claims that their pods reference; else no opinion.
std::unique_ptr<Authorizer> make_node_authorizer();
// Node, then RBAC; the first that allows.
std::unique_ptr<Authorizer> make_union_authorizer(std::vector<std::unique_ptr<Authorizer>> parts);

// RBAC escalation check: may `user` grant all these rules (he holds them, or has verb escalate/bind)?
bool covers(Authorizer& rbac, const User& user, std::string_view ns, const json::Value& rules, std::vector<std::string>* missing);

// Upstream's bootstrap roles and bindings as far as the kinds exist here: documents to create if absent and to reconcile at start.
std::vector<json::Value> bootstrap_rbac();

// ---- Encryption and CURVE (curve.cc) ----
struct CurvePair { std::string public_z85, secret_z85; };
CurvePair make_curve_pair();
Result<CurvePair> open_curve_pair(const std::string& file);  // made if absent, 0600
// AES-256-GCM with a random nonce in front; the key is derived from `secret` and `purpose` by HKDF.
std::string seal(std::string_view secret, std::string_view purpose, std::string_view plain);
Result<std::string> unseal(std::string_view secret, std::string_view purpose, std::string_view sealed);
// For the owner of a CURVE key and nobody else: X25519 with a key pair of the moment, whose public half stands in front.
Result<std::string> seal_for(const std::string& public_z85, std::string_view purpose, std::string_view plain);
Result<std::string> unseal_with(const CurvePair& keys, std::string_view purpose, std::string_view sealed);

}  // namespace lotse::security
