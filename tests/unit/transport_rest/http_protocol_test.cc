#include "plugins/transport_rest/http_protocol.h"

#include <catch2/catch.hpp>

#include "plugins/transport_rest/deadlines.h"
#include "tests/unit/transport_rest/fake_api.h"
#include "tests/unit/transport_rest/fake_link.h"

using namespace lotse;
using namespace lotse::transport_rest;
using namespace lotse::transport_rest::testing;

namespace {

struct Fixture {
  FakeExecutor executor;
  FakeApi api;
  Outstanding outstanding;
  FakeLink link;
  HttpProtocol protocol{Door{&api.table, &executor, &outstanding, nullptr}, HttpLimits{}, Peer{"192.0.2.7:1", {}}};
  Fixture() { protocol.begin(link); }
  std::string say(const std::string& text) {
    CHECK(protocol.receive(text) == text.size());
    return link.take();
  }
};

std::string get(const std::string& path, const std::string& headers = "") { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n"; }
const std::string kSpdy = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n";
const std::string kExec = "/api/v1/namespaces/a/pods/p/exec?command=sh&stdout=1";
std::string websocket(const std::string& protocols) {
  return "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + protocols + "\r\n";
}

}  // namespace

TEST_CASE("an answer given at once is sent, and the connection waits for the next request") {
  Fixture f;
  CHECK(f.link.waiting == Wait::kHead);
  const std::string sent = f.say(get("/api/v1/pods"));
  CHECK(f.api.verb == LOTSE_VERB_LIST);
  CHECK(sent.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(sent.ends_with("Content-Length: 2\r\n\r\n{}"));
  CHECK(f.link.waiting == Wait::kIdle);
  CHECK_FALSE(f.link.finished);
  CHECK(f.api.bodies_released == 1);
}

TEST_CASE("a request behind another waits until that is answered") {
  Fixture f;
  f.api.late = true;
  const std::string one = get("/api/v1/pods"), both = one + get("/healthz");
  CHECK(f.protocol.receive(both) == one.size());
  CHECK(f.link.waiting == Wait::kNothing);
  CHECK(f.link.sent.empty());
  f.api.respond();
  f.executor.run();
  CHECK(f.link.take().ends_with("{}"));
  CHECK(f.link.resumed > 0);
  CHECK(f.protocol.receive(get("/healthz")) > 0);
  CHECK(f.api.requests == 2);
}

TEST_CASE("a client that hangs up takes its request back") {
  auto f = std::make_unique<Fixture>();
  f->api.late = true;
  f->say(get("/api/v1/pods"));
  f->protocol.peer_finished();
  CHECK(f->link.aborted);
  // The answer comes all the same, to nobody.
  FakeApi& api = f->api;
  api.respond();
  f->executor.run();
  CHECK(api.bodies_released == 1);
}

TEST_CASE("an answer with a stream goes on in chunks until it ends") {
  Fixture f;
  f.api.streams = true;
  f.api.body = "";
  CHECK(f.say(get("/api/v1/pods?watch=1")).ends_with("Transfer-Encoding: chunked\r\n\r\n"));
  CHECK(f.api.granted > 0);
  f.api.sink.on_item(f.api.sink.ctx, 0, sdk::bytes("{}"));
  f.executor.run();
  CHECK(f.link.take() == "3\r\n{}\n\r\n");
  f.api.sink.on_end(f.api.sink.ctx, LOTSE_OK, {});
  f.executor.run();
  CHECK(f.link.take() == "0\r\n\r\n");
  CHECK(f.link.waiting == Wait::kIdle);
  f.api.streams = false;
  CHECK(f.say(get("/healthz")).starts_with("HTTP/1.1 200"));
}

TEST_CASE("a stream that breaks ends the connection without a last chunk") {
  Fixture f;
  f.api.streams = true;
  f.say(get("/api/v1/pods?watch=1"));
  f.api.sink.on_end(f.api.sink.ctx, LOTSE_UNAVAILABLE, sdk::bytes("gone"));
  f.executor.run();
  CHECK(f.link.sent.empty());
  CHECK(f.link.finished);
}

TEST_CASE("when the server goes, idle connections end and watches end well") {
  Fixture idle;
  idle.protocol.wind_down(true);
  CHECK(idle.link.finished);
  Fixture watch;
  watch.api.streams = true;
  watch.say(get("/api/v1/pods?watch=1"));
  watch.protocol.wind_down(true);
  CHECK(watch.link.sent == "0\r\n\r\n");
  CHECK(watch.link.finished);
  CHECK(watch.api.cancelled);
  watch.api.sink.on_end(watch.api.sink.ctx, LOTSE_CANCELLED, {});
  watch.executor.run();
  Fixture aged;
  aged.protocol.wind_down(false);
  CHECK_FALSE(aged.link.finished);
  CHECK(aged.say(get("/healthz")).find("Connection: close\r\n") != std::string::npos);
  CHECK(aged.link.finished);
}

TEST_CASE("exec is upgraded to the first version that both speak") {
  const auto upgrade = [](const std::string& headers) {
    Fixture f;
    f.api.streams = true;
    f.api.upgrade = LOTSE_UPGRADE_CHANNELS;
    const std::string sent = f.say(get(kExec, headers));
    const bool switched = f.link.next != nullptr;
    CHECK(switched == sent.starts_with("HTTP/1.1 101 "));
    CHECK(f.api.cancelled != switched);  // a stream that is not opened is given up
    return sent;
  };
  CHECK(upgrade(kSpdy).find("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n") != std::string::npos);
  CHECK(upgrade("Connection: upgrade\r\nUpgrade: spdy/3.1\r\nX-Stream-Protocol-Version: v9, v2.channel.k8s.io\r\n").find("Version: v2.channel.k8s.io\r\n") != std::string::npos);
  CHECK(upgrade("Connection: upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v5.channel.k8s.io\r\n").starts_with("HTTP/1.1 403 "));
  CHECK(upgrade(websocket("v5.channel.k8s.io, v4.channel.k8s.io")).find("Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n") != std::string::npos);
  CHECK(upgrade(websocket("nonsense")).starts_with("HTTP/1.1 403 "));
  CHECK(upgrade("").starts_with("HTTP/1.1 400 "));
}

TEST_CASE("an upgrade that the host refuses is an ordinary answer") {
  Fixture f;
  f.api.status = 403;
  CHECK(f.say(get(kExec, kSpdy)).starts_with("HTTP/1.1 403 "));
  CHECK(f.link.next == nullptr);
  CHECK_FALSE(f.link.finished);
}

TEST_CASE("port-forward asks once whether it may, and again for each connection") {
  Fixture f;
  f.api.streams = true;
  f.api.upgrade = LOTSE_UPGRADE_PORTFORWARD;
  f.say(get("/api/v1/namespaces/a/pods/p/portforward?ports=80&ports=81", websocket("v4.channel.k8s.io")));
  REQUIRE(f.link.next);
  CHECK(f.api.cancelled);
  f.link.next->begin(f.link);
  CHECK(f.api.requests == 3);
  CHECK(f.api.seen == "ports=80;ports=81;ports=80;ports=81;");
  f.executor.run();
  f.api.sink.on_end(f.api.sink.ctx, LOTSE_OK, {});
  f.executor.run();
}

TEST_CASE("what is late, and what a client is told of it") {
  Fixture silent;
  silent.protocol.expired(Wait::kHead);
  CHECK(silent.link.aborted);
  Fixture slow;
  slow.protocol.receive("GET / HT");
  CHECK(slow.link.waiting == Wait::kHead);
  slow.protocol.expired(Wait::kHead);
  CHECK(slow.link.sent.starts_with("HTTP/1.1 408 "));
  CHECK(slow.link.finished);
  Fixture idle;
  idle.say(get("/healthz"));
  idle.protocol.expired(Wait::kIdle);
  CHECK(idle.link.aborted);
}

TEST_CASE("deadlines of many connections need one timer, which stands at the earliest") {
  using Clock = Deadlines::Clock;
  Deadlines::Lengths lengths{};
  lengths[static_cast<size_t>(Wait::kIdle)] = std::chrono::seconds(90);
  lengths[static_cast<size_t>(Wait::kHead)] = std::chrono::seconds(30);
  std::vector<Clock::time_point> timers;
  Deadlines deadlines(lengths, [&](Clock::time_point at) { timers.push_back(at); });
  const Clock::time_point t0{};
  const auto s = [](int n) { return std::chrono::seconds(n); };
  Deadlines::Entry a, b, c;
  a.owner = &a, b.owner = &b, c.owner = &c;
  deadlines.arm(a, Wait::kIdle, t0);
  deadlines.arm(b, Wait::kIdle, t0 + s(1));
  deadlines.arm(c, Wait::kHead, t0 + s(2));
  for (int i = 3; i < 20; ++i) deadlines.arm(a, Wait::kIdle, t0 + s(i));  // a busy connection moves no timer
  CHECK(timers == std::vector<Clock::time_point>{t0 + s(90), t0 + s(32)});
  std::vector<void*> late;
  const auto note = [&](void* owner, Wait) { late.push_back(owner); };
  deadlines.expire(t0 + s(32), note);
  CHECK(late == std::vector<void*>{&c});
  CHECK(timers.back() == t0 + s(91));
  deadlines.arm(b, Wait::kNothing, t0 + s(40));
  deadlines.expire(t0 + s(91), note);
  CHECK(timers.back() == t0 + s(109));
  deadlines.expire(t0 + s(200), note);
  CHECK(late == std::vector<void*>{&c, &a});
  CHECK(timers.size() == 4);
}
