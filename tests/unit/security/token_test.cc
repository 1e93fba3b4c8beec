#include <catch2/catch.hpp>

#include "core/base/ids.h"
#include "tests/unit/security/fixture.h"

using namespace lotse;
using namespace lotse::security;

namespace {
const std::string kIssuer = "https://kubernetes.default.svc.cluster.local";

struct Tokens {
  TempDir dir;
  TestClock clock;
  std::unique_ptr<Authority> authority = *Authority::open(dir.path, clock);
  std::unique_ptr<TokenIssuer> issuer = *TokenIssuer::open(dir.path, kIssuer, clock);
  std::map<std::string, ObjectPtr> objects;
  Authenticator authenticator{*authority, *issuer, [this](auto, std::string_view resource, std::string_view ns, std::string_view name) {
                                auto it = objects.find(std::string(resource) + "/" + std::string(ns) + "/" + std::string(name));
                                return it == objects.end() ? nullptr : it->second;
                              }};
  Tokens() {
    objects["serviceaccounts/default/app"] = object(R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"app","namespace":"default","uid":"sa-1"}})");
    objects["pods/default/web"] = object(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"default","uid":"pod-1"}})");
  }
  TokenClaims claims() const {
    TokenClaims c;
    c.ns = "default";
    c.service_account = "app";
    c.service_account_uid = "sa-1";
    c.bound_kind = "Pod";
    c.bound_name = "web";
    c.bound_uid = "pod-1";
    c.audiences = {kIssuer};
    c.issued = clock.wall;
    c.expires = clock.wall + std::chrono::hours(1);
    c.id = "t1";
    return c;
  }
  Result<User> who(const std::string& token) { return authenticator.authenticate({{}, token, "", nullptr}); }
};
}  // namespace

TEST_CASE("a service account's token says who it is") {
  Tokens t;
  auto user = t.who(*t.issuer->sign(t.claims()));
  REQUIRE(user.ok());
  CHECK(user->name == "system:serviceaccount:default:app");
  CHECK(user->in_group("system:serviceaccounts:default"));
  CHECK(user->extra["authentication.kubernetes.io/pod-name"] == std::vector<std::string>{"web"});
}

TEST_CASE("a token holds until it expires, and while its pod and service account exist") {
  Tokens t;
  std::string token = *t.issuer->sign(t.claims());
  CHECK(t.who(token).ok());
  auto pod = t.objects.extract("pods/default/web");
  CHECK(t.who(token).status().message.find("pod no longer exists") != std::string::npos);
  t.objects.insert(std::move(pod));
  CHECK(t.who(token).ok());
  t.objects["serviceaccounts/default/app"] = object(R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"app","namespace":"default","uid":"sa-2"}})");
  CHECK(t.who(token).status().reason == Reason::kUnauthorized);
  t.objects["serviceaccounts/default/app"] = object(R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"app","namespace":"default","uid":"sa-1"}})");
  t.clock.wall += std::chrono::hours(1);
  CHECK(t.who(token).status().message == "the token does not hold: it has expired");
}

TEST_CASE("a token for another audience is refused by the API and accepted by its own") {
  Tokens t;
  auto claims = t.claims();
  claims.audiences = {"vault"};
  std::string token = *t.issuer->sign(claims);
  CHECK(t.who(token).status().reason == Reason::kUnauthorized);
  std::vector<std::string> matched;
  CHECK(t.authenticator.authenticate_token(token, {"vault", "other"}, &matched).ok());
  CHECK(matched == std::vector<std::string>{"vault"});
}

TEST_CASE("a token that was tampered with, or signed otherwise, is refused") {
  Tokens t;
  std::string token = *t.issuer->sign(t.claims());
  std::string forged = token;
  forged[forged.find('.') + 5] ^= 1;
  CHECK(t.who(forged).status().reason == Reason::kUnauthorized);
  std::string none = base64url(R"({"alg":"none","typ":"JWT"})") + token.substr(token.find('.'));
  CHECK(t.who(none).status().message.find("algorithm") != std::string::npos);
  TempDir other_dir;
  auto other = *TokenIssuer::open(other_dir.path, kIssuer, t.clock);
  CHECK(t.who(*other->sign(t.claims())).status().message.find("another key") != std::string::npos);
  CHECK_FALSE(t.who("a.b.c").ok());
  CHECK_FALSE(t.who(std::string(100'000, 'x')).ok());
}

TEST_CASE("who brings nothing is anonymous; who is vouched for is taken at his word") {
  Tokens t;
  auto nobody = t.authenticator.authenticate({});
  REQUIRE(nobody.ok());
  CHECK(nobody->name == "system:anonymous");
  CHECK(nobody->groups == std::vector<std::string>{"system:unauthenticated"});
  Peer node;
  node.trusted = std::make_shared<const User>(node_user("n1"));
  CHECK(t.authenticator.authenticate(node)->name == "system:node:n1");
}

TEST_CASE("the key set describes the key that signs") {
  Tokens t;
  auto keys = t.issuer->jwks();
  CHECK(keys["keys"].at(0)["crv"].str() == "P-256");
  std::string x;
  REQUIRE(unbase64url(keys["keys"].at(0)["x"].str(), &x));
  CHECK(x.size() == 32);
  CHECK(t.issuer->openid_configuration()["issuer"].str() == kIssuer);
}
