#include "core/security/security.h"

namespace lotse::security {
namespace {


Status gone(std::string_view what) { return Status(Reason::kUnauthorized, "the token does not hold: its " + std::string(what) + " no longer exists"); }

bool is_same(const ObjectPtr& object, std::string_view uid) { return object && object->header().uid == uid; }

}  // namespace

Authenticator::Authenticator(const Authority& authority, TokenIssuer& tokens, Lookup lookup)
    : authority_(authority), tokens_(tokens), lookup_(std::move(lookup)) {}

Result<User> Authenticator::authenticate(const Peer& peer, const std::vector<std::string>& audiences) const {
  if (peer.trusted) return *peer.trusted;
  Status refused;
  if (!peer.certificates.empty()) {
    auto user = authority_.authenticate(peer.certificates);
    if (user.ok()) return user;
    refused = user.status();
  }
  if (!peer.token.empty()) return authenticate_token(peer.token, audiences, nullptr);
  if (!refused.ok()) return refused;
  User anonymous;
  anonymous.name = kAnonymous;
  anonymous.groups = {std::string(kGroupUnauthenticated)};
  return anonymous;
}

Result<User> Authenticator::authenticate_token(std::string_view token, const std::vector<std::string>& audiences,
                                               std::vector<std::string>* matched) const {
  LOTSE_TRY(TokenClaims claims, tokens_.verify(token));
  const std::vector<std::string> own{tokens_.issuer()};
  std::vector<std::string> common;
  for (const auto& wanted : audiences.empty() ? own : audiences)
    if (std::find(claims.audiences.begin(), claims.audiences.end(), wanted) != claims.audiences.end()) common.push_back(wanted);
  if (common.empty()) return Status(Reason::kUnauthorized, "the token does not hold: it is meant for another audience");
  if (!is_same(lookup_("", "serviceaccounts", claims.ns, claims.service_account), claims.service_account_uid)) return gone("service account");
  if (claims.bound_kind == "Pod") {
    ObjectPtr pod = lookup_("", "pods", claims.ns, claims.bound_name);
    if (!is_same(pod, claims.bound_uid)) return gone("pod");
  } else if (claims.bound_kind == "Secret") {
    if (!is_same(lookup_("", "secrets", claims.ns, claims.bound_name), claims.bound_uid)) return gone("secret");
  } else if (claims.bound_kind == "Node") {
    if (!is_same(lookup_("", "nodes", "", claims.bound_name), claims.bound_uid)) return gone("node");
  }
  User user = service_account_user(claims.ns, claims.service_account, claims.service_account_uid);
  if (claims.bound_kind == "Pod") {
    user.extra["authentication.kubernetes.io/pod-name"] = {claims.bound_name};
    user.extra["authentication.kubernetes.io/pod-uid"] = {claims.bound_uid};
  }
  if (!claims.node_name.empty()) {
    user.extra["authentication.kubernetes.io/node-name"] = {claims.node_name};
    user.extra["authentication.kubernetes.io/node-uid"] = {claims.node_uid};
  }
  if (!claims.id.empty()) user.extra["authentication.kubernetes.io/credential-id"] = {"JTI=" + claims.id};
  if (matched) *matched = std::move(common);
  return user;
}

}  // namespace lotse::security
