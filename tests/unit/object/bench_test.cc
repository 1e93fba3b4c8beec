// Not run by default: unit_object "[.bench]" prints what a Pod of about 2.7 KB costs.
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "core/object/object.h"

using namespace lotse;

template <class F>
static double microseconds(F f) {
  const auto start = std::chrono::steady_clock::now();
  constexpr int kRounds = 20000;
  for (int i = 0; i < kRounds; ++i) f();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / kRounds;
}

TEST_CASE("what a Pod costs", "[.bench]") {
  std::ifstream in(LOTSE_SOURCE_DIR "/tests/unit/object/pod.json");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  auto value = json::parse(text);
  REQUIRE(value.ok());
  const std::string canonical = json::write(*value);
  (*value)["metadata"].erase("resourceVersion");
  const Bytes stored = json::write_bytes(*value);
  size_t sum = 0;
  std::printf("%zu bytes: parse %.1f us, copy %.1f us, write %.1f us, header %.1f us\n", canonical.size(),
              microseconds([&] { sum += json::parse(canonical)->size(); }),
              microseconds([&] { sum += json::Value(*value).size(); }),
              microseconds([&] { sum += json::write(*value).size(); }),
              microseconds([&] { sum += (*Object::from_bytes(stored, 1))->header().name.size(); }));
  CHECK(sum > 0);
}
