#include <catch2/catch.hpp>

#include "plugins/transport_zmq/client_session.h"
#include "tests/unit/transport_rest/fake_api.h"

using namespace lotse;
using namespace lotse::transport_zmq;
using transport_rest::testing::FakeApi;
using transport_rest::testing::FakeExecutor;

namespace {

struct Fixture {
  FakeExecutor executor;
  FakeApi api;
  transport_rest::Outstanding outstanding;
  std::vector<Outgoing> sent;
  bool reachable = true;
  ClientSession session{{&api.table, &executor, &outstanding, nullptr}, "zmq", [this](Outgoing message) {
                          if (reachable) sent.push_back(std::move(message));
                          return reachable;
                        }};
  void say(const sdk::Msg& map, std::string body = "") { session.receive(map.encode(), std::move(body)); }
  sdk::Msg heard(size_t i) { return sdk::Msg::parse(sent.at(i).head); }
  sdk::Msg get(int id) { return sdk::Msg::map({{"id", id}, {"op", "request"}, {"verb", "get"}, {"resource", "pods"}}); }
};

}  // namespace

TEST_CASE("a request is answered with its id, a status and the host's own bytes") {
  Fixture f;
  f.say(sdk::Msg::map({{"id", 7}, {"op", "request"}, {"verb", "list"}, {"resource", "pods"},
                       {"options", sdk::Msg::map({{"limit", 5}, {"x", sdk::Msg::array({"a", "b"})}})}}));
  CHECK(f.api.verb == LOTSE_VERB_LIST);
  CHECK(f.api.seen.find("x=a;x=b;") != std::string::npos);
  REQUIRE(f.sent.size() == 1);
  CHECK(f.heard(0)["id"].as_int() == 7);
  CHECK(f.heard(0)["status"].as_int() == 200);
  CHECK(f.sent[0].body.part(0).data() == f.api.body.data());
  CHECK(f.api.bodies_released == 0);
  f.session.sent(f.sent[0].size());
  f.sent.clear();
  CHECK(f.api.bodies_released == 1);
  CHECK(f.session.idle());
}

TEST_CASE("what a client does not read waits with the host, not here") {
  Fixture f;
  f.api.body = std::string(600 * 1024, 'x');
  for (int id = 0; id < 10; ++id) f.say(f.get(id));
  CHECK(f.sent.size() == 2);  // 1 MiB at a time
  f.session.sent(f.sent[0].size());
  CHECK(f.sent.size() == 3);
  CHECK_FALSE(f.session.idle());
}

TEST_CASE("a stream gets no more credit than its client gave, and that is limited") {
  Fixture f;
  f.api.streams = true;
  auto watch = f.get(1);
  watch.set("verb", "watch");
  watch.set("grant", 1000);
  f.say(watch);
  CHECK(f.api.granted == 1000);
  f.say(sdk::Msg::map({{"id", 1}, {"op", "grant"}, {"bytes", int64_t{1} << 40}}));
  CHECK(f.api.granted == kGrantMax);
  f.api.sink.on_item(f.api.sink.ctx, 0, sdk::bytes("event"));
  f.api.sink.on_end(f.api.sink.ctx, LOTSE_OK, {});
  CHECK(f.sent.size() == 1);
  f.executor.run();
  REQUIRE(f.sent.size() == 3);
  CHECK(f.heard(1)["op"].str() == "item");
  CHECK(f.sent[1].bytes == "event");
  CHECK(f.heard(2)["op"].str() == "end");
  CHECK(f.api.released);
  CHECK_FALSE(f.session.has_calls());
}

TEST_CASE("input goes to the stream in order and is paid back") {
  Fixture f;
  f.api.streams = true;
  f.say(f.get(1));
  f.say(sdk::Msg::map({{"id", 1}, {"op", "write"}, {"channel", 0}}), "hello");
  f.say(sdk::Msg::map({{"id", 1}, {"op", "half_close"}, {"channel", 0}}));
  CHECK(f.api.written == "hello$");
  CHECK(f.heard(1)["bytes"].as_int() == 5);
  f.say(sdk::Msg::map({{"id", 1}, {"op", "cancel"}}));
  CHECK(f.api.cancelled);
  f.api.sink.on_end(f.api.sink.ctx, LOTSE_CANCELLED, {});
  f.executor.run();
  CHECK(f.sent.size() == 2);  // nothing more is said
}

TEST_CASE("ids are the client's, but not twice and not without end") {
  Fixture f;
  f.api.late = true;
  for (size_t id = 0; id <= kCallsMax; ++id) f.say(f.get(static_cast<int>(id)));
  REQUIRE(f.sent.size() == 1);
  CHECK(f.heard(0)["op"].str() == "error");
  CHECK(f.heard(0)["id"].as_int() == static_cast<int64_t>(kCallsMax));
  f.say(f.get(0));
  CHECK(f.heard(1)["message"].str() == "this id is in use");
}

TEST_CASE("a client that has gone takes its requests with it") {
  auto f = std::make_unique<Fixture>();
  f->api.streams = true;
  f->say(f->get(1));
  f->reachable = false;
  f->api.sink.on_item(f->api.sink.ctx, 0, sdk::bytes("event"));
  f->executor.run();
  CHECK(f->session.gone());
}
