#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/security/pem.h"
#include "tests/unit/security/fixture.h"

using namespace lotse;
using namespace lotse::security;

namespace {
std::string der(const std::string& pem) {
  auto cert = cert_from_pem(pem);
  unsigned char* out = nullptr;
  int size = i2d_X509(cert->get(), &out);
  std::string text(reinterpret_cast<char*>(out), static_cast<size_t>(size));
  OPENSSL_free(out);
  return text;
}
}  // namespace

TEST_CASE("the CA is made once, kept, and its key is private") {
  TempDir dir;
  TestClock clock;
  std::string first;
  {
    auto ca = Authority::open(dir.path, clock);
    REQUIRE(ca.ok());
    first = (*ca)->ca_pem();
  }
  auto ca = Authority::open(dir.path, clock);
  REQUIRE(ca.ok());
  CHECK((*ca)->ca_pem() == first);
  struct stat info;
  REQUIRE(stat((dir.path + "/ca.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a CA whose key is lost is refused, not replaced") {
  TempDir dir;
  TestClock clock;
  REQUIRE(Authority::open(dir.path, clock).ok());
  std::filesystem::remove(dir.path + "/ca.key");
  auto again = Authority::open(dir.path, clock);
  REQUIRE_FALSE(again.ok());
  CHECK(again.status().message.find("not whole") != std::string::npos);
}

TEST_CASE("a client certificate of ours names the user and his groups") {
  TempDir dir;
  TestClock clock;
  auto ca = Authority::open(dir.path, clock);
  auto pair = (*ca)->issue({.common_name = "ann", .organizations = {"dev", "ops"}, .client = true});
  REQUIRE(pair.ok());
  auto user = (*ca)->authenticate(std::vector{der(pair->certificate_pem)});
  REQUIRE(user.ok());
  CHECK(user->name == "ann");
  CHECK(user->groups == std::vector<std::string>{"dev", "ops", "system:authenticated"});
}

TEST_CASE("a certificate that is expired, of another CA, or for servers only is no proof") {
  TempDir dir, other_dir;
  TestClock clock;
  auto ca = Authority::open(dir.path, clock), other = Authority::open(other_dir.path, clock);
  auto own = (*ca)->issue({.common_name = "ann", .client = true, .lifetime = std::chrono::hours(1)});
  auto strange = (*other)->issue({.common_name = "ann", .client = true});
  auto server = (*ca)->issue({.common_name = "ann", .server = true});
  CHECK((*ca)->authenticate(std::vector{der(own->certificate_pem)}).ok());
  CHECK((*ca)->authenticate(std::vector{der(strange->certificate_pem)}).status().reason == Reason::kUnauthorized);
  CHECK((*ca)->authenticate(std::vector{der(server->certificate_pem)}).status().reason == Reason::kUnauthorized);
  CHECK((*ca)->authenticate(std::vector{std::string("garbage")}).status().ok() == false);
  clock.wall += std::chrono::hours(2);
  CHECK((*ca)->authenticate(std::vector{der(own->certificate_pem)}).status().reason == Reason::kUnauthorized);
}

TEST_CASE("the serving certificate is kept, and made anew for another name or after two thirds of its life") {
  TempDir dir;
  TestClock clock;
  auto ca = Authority::open(dir.path, clock);
  bool changed = false;
  auto first = (*ca)->serving({"localhost"}, {"127.0.0.1", "10.96.0.1"}, &changed);
  REQUIRE(first.ok());
  CHECK(changed);
  auto kept = (*ca)->serving({"localhost"}, {"10.96.0.1"}, &changed);
  CHECK_FALSE(changed);
  CHECK(kept->certificate_pem == first->certificate_pem);
  auto named = (*ca)->serving({"localhost", "api.example"}, {}, &changed);
  CHECK(changed);
  clock.wall = (*ca)->next_rotation() - std::chrono::hours(1);
  (void)(*ca)->serving({"api.example"}, {}, &changed);
  CHECK_FALSE(changed);
  clock.wall = (*ca)->next_rotation() + std::chrono::seconds(1);
  auto rotated = (*ca)->serving({"api.example"}, {}, &changed);
  CHECK(changed);
  CHECK(rotated->certificate_pem != named->certificate_pem);
}

TEST_CASE("what is sealed opens with the same secret and purpose only") {
  std::string sealed = seal("secret", "checkpoint", "plain");
  CHECK(*unseal("secret", "checkpoint", sealed) == "plain");
  CHECK_FALSE(unseal("other", "checkpoint", sealed).ok());
  CHECK_FALSE(unseal("secret", "backup", sealed).ok());
  sealed[20] ^= 1;
  CHECK_FALSE(unseal("secret", "checkpoint", sealed).ok());
  CHECK_FALSE(unseal("secret", "checkpoint", "short").ok());
}

TEST_CASE("the bus key is made once and kept private") {
  TempDir dir;
  auto first = open_curve_pair(dir.path + "/bus.key");
  REQUIRE(first.ok());
  auto again = open_curve_pair(dir.path + "/bus.key");
  CHECK(again->public_z85 == first->public_z85);
  REQUIRE(write_file_atomically(dir.path + "/bad.key", "short", 0600).ok());
  CHECK_FALSE(open_curve_pair(dir.path + "/bad.key").ok());
}
