#include "core/daemon/tls_material.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

using namespace lotse;
using namespace lotse::daemon;

namespace {

constexpr Duration kDay = std::chrono::hours(24);

// The loop's clock, for those who want a clock alone.
struct LoopClock : Clock {
  explicit LoopClock(VirtualLoop& l) : loop(l) {}
  WallTime now() const override { return loop.clock().now(); }
  SteadyTime steady() const override { return loop.clock().steady(); }
  VirtualLoop& loop;
};

// What a transport was told.
struct Told {
  std::vector<uint32_t> generations;
  std::string certificate, key;
  static void take(void* self, const lotse_tls_material* m) {
    auto& told = *static_cast<Told*>(self);
    told.generations.push_back(m->generation);
    told.certificate.assign(static_cast<const char*>(m->certificate.data), m->certificate.size);
    told.key.assign(static_cast<const char*>(m->key.data), m->key.size);
  }
};

struct Fixture {
  Fixture() {
    char name[] = "/tmp/lotse-tls-XXXXXX";
    dir = mkdtemp(name);
    auto opened = security::Authority::open(dir, clock);
    REQUIRE(opened.ok());
    authority = *std::move(opened);
  }
  ~Fixture() { std::filesystem::remove_all(dir); }
  TlsMaterial material() { return TlsMaterial(*authority, {"public", "secret"}, loop, {"localhost"}, {"127.0.0.1"}); }

  VirtualLoop loop;
  LoopClock clock{loop};
  std::string dir;
  std::unique_ptr<security::Authority> authority;
};

uint64_t subscribe(const TlsMaterial& tls, Told* told) { return tls.service()->subscribe(tls.service()->self, &Told::take, told); }

}  // namespace

TEST_CASE("a transport gets the certificate when it asks, and the next one before the first expires") {
  Fixture f;
  TlsMaterial tls = f.material();
  REQUIRE(tls.begin().ok());
  Told told, gone;
  subscribe(tls, &told);
  const uint64_t id = subscribe(tls, &gone);
  REQUIRE(told.generations == std::vector<uint32_t>{1});
  const std::string first = told.certificate, first_key = told.key;
  CHECK(first.find("BEGIN CERTIFICATE") != std::string::npos);
  tls.service()->unsubscribe(tls.service()->self, id);

  const Duration left = f.authority->next_rotation() - f.loop.clock().now();
  REQUIRE(left > 2 * kDay);
  f.loop.advance(left - kDay);
  CHECK(told.generations == std::vector<uint32_t>{1});
  f.loop.advance(2 * kDay);
  CHECK(told.generations == std::vector<uint32_t>{1, 2});
  CHECK(told.certificate != first);
  CHECK(told.key != first_key);
  CHECK(gone.generations == std::vector<uint32_t>{1});

  // And so on: the second is replaced in its turn.
  f.loop.advance(f.authority->next_rotation() - f.loop.clock().now() + kDay);
  CHECK(told.generations == std::vector<uint32_t>{1, 2, 3});
  tls.end();
}

TEST_CASE("a restart goes on with the certificate that is there while it is good, and not with an old one") {
  Fixture f;
  std::string first;
  {
    TlsMaterial tls = f.material();
    REQUIRE(tls.begin().ok());
    Told told;
    subscribe(tls, &told);
    first = told.certificate;
    tls.end();
  }
  {
    TlsMaterial tls = f.material();
    REQUIRE(tls.begin().ok());
    Told told;
    subscribe(tls, &told);
    CHECK(told.generations == std::vector<uint32_t>{1});
    CHECK(told.certificate == first);
    tls.end();
  }
  const Duration down = f.authority->next_rotation() - f.loop.clock().now() + kDay;
  f.loop.advance(down);
  TlsMaterial tls = f.material();
  REQUIRE(tls.begin().ok());
  Told told;
  subscribe(tls, &told);
  CHECK(told.certificate != first);
  tls.end();
}
