#include "core/control/queue.h"

#include <catch2/catch.hpp>

namespace lotse::control {
using namespace std::chrono_literals;
namespace {
SteadyTime at(Duration d) {
  return SteadyTime(d);
}
}  // namespace

TEST_CASE("a key is given out once, however often it was added") {
  Queue q;
  q.add("a"), q.add("b"), q.add("a");
  CHECK(q.take(at(0s)) == "a");
  CHECK(q.take(at(0s)) == "b");
  CHECK_FALSE(q.take(at(0s)));
}

TEST_CASE("a key that changes while it is looked at comes again afterwards, not meanwhile") {
  Queue q;
  q.add("a");
  REQUIRE(q.take(at(0s)));
  q.add("a");
  CHECK_FALSE(q.take(at(0s)));
  q.done("a");
  CHECK(q.take(at(0s)) == "a");
  q.done("a");
  CHECK(q.idle());
}

TEST_CASE("failures wait twice as long each time, up to a limit, and success forgets them") {
  Queue q;
  SteadyTime now = at(0s);
  Duration wait = 5ms;
  q.add("a");
  for (int i = 0; i < 25; ++i) {
    REQUIRE(q.take(now) == "a");
    q.failed("a", now);
    REQUIRE(q.next_due() == now + wait);
    CHECK_FALSE(q.take(now + wait - 1ns));
    now += wait;
    wait = std::min<Duration>(wait * 2, 1000s);
    if (i == 17) wait = 1000s;
  }
  REQUIRE(q.take(now));
  q.done("a");
  q.add("a");
  REQUIRE(q.take(now));
  q.failed("a", now);
  CHECK(q.next_due() == now + 5ms);
}

TEST_CASE("a change brings a delayed key at once; the earlier of two times counts") {
  Queue q;
  q.add_at("a", at(10s));
  q.add_at("a", at(5s));
  q.add_at("a", at(20s));
  CHECK(q.next_due() == at(5s));
  q.add("a");
  CHECK(q.take(at(0s)) == "a");
  q.done("a");
  CHECK(q.idle());
}

}  // namespace lotse::control
