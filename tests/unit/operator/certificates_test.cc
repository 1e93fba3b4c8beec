#include "core/operator/certificates.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "core/base/file.h"
#include "core/security/security.h"

using namespace lotse;
using namespace lotse::ops;

namespace {

struct FixedClock : Clock {
  WallTime now() const override { return *parse_time("2026-06-01T12:00:00Z"); }
  SteadyTime steady() const override { return {}; }
};
constexpr Duration kDay = std::chrono::hours(24);

struct Directory {
  Directory() {
    char name[] = "/tmp/lotse-certs-XXXXXX";
    path = mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

}  // namespace

TEST_CASE("the certificates of a master are told with their ends, and the authority as one that nobody makes anew") {
  Directory dir;
  FixedClock clock;
  CHECK(certificates(dir.path).empty());
  auto authority = *security::Authority::open(dir.path + "/pki", clock);
  REQUIRE(authority->serving({"localhost"}, {"192.0.2.1", "2001:db8::1"}, nullptr).ok());
  const auto list = certificates(dir.path);
  REQUIRE(list.size() == 3);
  CHECK(list[0].subject == "lotse-ca");
  CHECK(list[0].renewed == WallTime{});
  CHECK(list[1].names == std::vector<std::string>{"localhost", "192.0.2.1", "2001:db8::1"});
  CHECK(age(list[1], clock.now()) == Age::kGood);
  CHECK(age(list[1], clock.now() + 300 * kDay) == Age::kDue);
  CHECK(age(list[1], clock.now() + 366 * kDay) == Age::kExpired);
  CHECK(age(list[1], clock.now() - kDay) == Age::kEarly);
  CHECK(age(list[2], clock.now()) == Age::kUnreadable);  // no kubeconfig has been written
  CHECK(describe(list[1], clock.now() + 367 * kDay) == "expired 2d ago");
}

TEST_CASE("a file that holds no certificate is a problem and no crash") {
  CHECK(!read_certificate("x", "").problem.empty());
  CHECK(!read_certificate("x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").problem.empty());
}
