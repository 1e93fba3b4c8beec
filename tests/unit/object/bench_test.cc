// Not run by default: unit_object "[.bench]" prints what a Pod of about 2.7 KB costs.
#include <catch2/catch.hpp>
#include <ctime>
#include <cstdio>
#include <fstream>

#include "core/object/object.h"

using namespace lotse;

// Of this thread's own time on the CPU: what else the machine does counts less.
static double cpu_us() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

template <class F>
static double microseconds(F f) {
  constexpr int kRounds = 5000;
  const double start = cpu_us();
  for (int i = 0; i < kRounds; ++i) f();
  return (cpu_us() - start) / kRounds;
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
