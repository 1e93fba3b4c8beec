#include <catch2/catch.hpp>

#include "core/bus/bus.h"
#include "core/bus/mux.h"

using namespace lotse;
using namespace lotse::bus;

namespace {

std::shared_ptr<Mux> refusing(VirtualLoop& loop) {
  return Mux::make(loop, false, 1, [](const std::string&, Bytes, SinkPtr) -> Result<StreamPtr> { return Status(Reason::kNotFound, "nothing here"); }, nullptr);
}
Frame opening(uint64_t id) {
  Frame f;
  f.type = FrameType::kOpen;
  f.epoch = 1;
  f.stream = id;
  f.text = "x";
  return f;
}

}  // namespace

TEST_CASE("a peer that opens streams and never reads their ends loses its session") {
  VirtualLoop loop;
  auto mux = refusing(loop);
  Status status;
  uint64_t opened = 0;
  for (uint64_t id = 1; status.ok() && opened < 1'000'000; id += 2, ++opened) status = mux->receive(opening(id));
  CHECK_FALSE(status.ok());
  CHECK(opened < 10 * kStreamsMax);
}

TEST_CASE("pongs for a peer that does not read are left out") {
  VirtualLoop loop;
  auto mux = refusing(loop);
  for (int i = 0; i < 100'000; ++i) {
    Frame pong;
    pong.type = FrameType::kPong;
    mux->send_control(pong);
  }
  std::string frame;
  size_t kept = 0;
  while (mux->next(&frame)) ++kept;
  CHECK(kept < 10 * kStreamsMax);
}

TEST_CASE("a join string survives paper, and nothing else is one") {
  JoinString join;
  join.master = {{"tcp://192.0.2.1:6442"}, std::string(40, 'k')};
  join.token = "once";
  auto back = JoinString::parse(join.write() + "\n");
  REQUIRE(back.ok());
  CHECK(back->master.endpoints == join.master.endpoints);
  CHECK(back->master.public_z85 == join.master.public_z85);
  CHECK(back->token == "once");
  for (const std::string& text : {std::string(), std::string("lotse1."), std::string("lotse1.!!!!"), join.write().substr(0, 30), std::string(5000, 'a')}) CHECK_FALSE(JoinString::parse(text).ok());
}
