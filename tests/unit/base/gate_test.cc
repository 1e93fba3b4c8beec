#include <catch2/catch.hpp>

#include "core/base/gate.h"

namespace lotse {

TEST_CASE("Who closes a gate waits for those inside, and nobody enters any more") {
  auto gate = std::make_shared<Gate>();
  std::atomic<bool> entered{false}, left{false};
  std::thread inside([&] {
    const auto pass = gate->enter();
    REQUIRE(pass);
    entered = true;
    entered.notify_all();
    while (gate->enter()) std::this_thread::yield();  // until the closing has begun
    left = true;
  });
  entered.wait(false);
  gate->close();
  CHECK(left);
  CHECK_FALSE(gate->enter());
  inside.join();
}

TEST_CASE("A gate may be entered from inside, and a pass that was moved is left once") {
  Gate gate;
  {
    auto first = gate.enter();
    const auto second = gate.enter();
    const auto moved = std::move(first);
    CHECK_FALSE(first);
    CHECK(moved);
    CHECK(second);
  }
  gate.close();
}

}  // namespace lotse
