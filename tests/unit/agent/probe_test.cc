#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/agent/handler_runner.h"
#include "core/agent/prober.h"
#include "core/agent/safe_path.h"
#include "tests/unit/agent/story.h"

using namespace lotse;
using namespace lotse::agent;
using namespace std::chrono_literals;

namespace {

// Answers as the test says, at once.
struct ScriptedRunner : HandlerRunner {
  Loop& loop;
  bool ok = true;
  int asked = 0;
  explicit ScriptedRunner(Loop& l) : loop(l) {}
  struct Pending : Handle::Impl {
    bool* gone;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    ~Pending() override { *alive = false; }
  };
  Handle run(const Handler&, const HandlerTarget&, Duration, Done done) override {
    ++asked;
    auto p = std::make_unique<Pending>();
    loop.post([alive = p->alive, done, ok = ok] {
      if (*alive) done({ok, ok ? "" : "no"});
    });
    return Handle(std::move(p));
  }
};

struct NoRuntime : Runtime {
  void call(Call, MsgValue, Duration, Answer) override {}
  Result<StreamPtr> open(Open, MsgValue, SinkPtr) override { return Status(Reason::kServiceUnavailable, "none"); }
};

// One connection to a listener of our own on loopback: takes a request, says what the test wants.
struct Server {
  Fd fd{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
  int port = 0;
  std::string answer, request;
  std::vector<Fd> peers;
  std::vector<Handle> handles;
  Server(VirtualLoop& loop, std::string text) : answer(std::move(text)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(listen(fd.get(), 8) == 0);
    socklen_t n = sizeof a;
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&a), &n);
    port = ntohs(a.sin_port);
    handles.push_back(loop.watch_fd(fd.get(), true, false, [this, &loop] {
      int c = accept4(fd.get(), nullptr, nullptr, SOCK_NONBLOCK);
      if (c < 0) return;
      peers.emplace_back(c);
      handles.push_back(loop.watch_fd(c, true, false, [this, c, sent = false]() mutable {
        char buffer[4096];
        ssize_t got = recv(c, buffer, sizeof buffer, 0);
        if (got <= 0) return handles.clear();
        request.append(buffer, static_cast<size_t>(got));
        if (!sent && request.find("\r\n\r\n") != std::string::npos) {
          sent = true;
          CHECK(send(c, answer.data(), answer.size(), MSG_NOSIGNAL) > 0);
        }
      }));
    }));
  }
  ~Server() { handles.clear(); }
};

HandlerResult ask(VirtualLoop& loop, const Handler& handler, int port, Duration timeout = 1s) {
  NoRuntime runtime;
  auto runner = HandlerRunner::make(runtime, loop);
  std::optional<HandlerResult> result;
  auto handle = runner->run(handler, {"id", "127.0.0.1", port}, timeout, [&](HandlerResult r) { result = std::move(r); });
  for (int i = 0; i < 200 && !result; ++i) loop.run();
  if (!result) loop.advance(timeout);
  REQUIRE(result);
  return *result;
}

}  // namespace

TEST_CASE("probes: startup first, then readiness and liveness, and only thresholds are told") {
  VirtualLoop loop;
  ScriptedRunner runner(loop);
  auto spec = parse_pod(*object(R"(
metadata: {name: p, namespace: d, uid: u}
spec:
  containers:
  - name: app
    startupProbe: {exec: {command: [a]}, periodSeconds: 1, failureThreshold: 3}
    readinessProbe: {exec: {command: [b]}, periodSeconds: 2, successThreshold: 2}
    livenessProbe: {exec: {command: [c]}, periodSeconds: 5, failureThreshold: 2, initialDelaySeconds: 3}
)"));
  std::vector<std::string> told;
  int failures = 0;
  Prober::Callbacks callbacks;
  callbacks.result = [&](ProbeKind kind, bool ok, const std::string&) {
    told.push_back(std::string(kind == ProbeKind::kStartup ? "startup" : kind == ProbeKind::kReadiness ? "ready" : "live") + (ok ? "+" : "-"));
  };
  callbacks.failed = [&](ProbeKind, const std::string&) { ++failures; };
  runner.ok = false;
  Prober prober(loop, runner, spec, 0, "id", "127.0.0.1", false, false, Duration(0), callbacks);
  loop.advance(1s);
  CHECK(told.empty());
  CHECK(failures == 2);
  runner.ok = true;
  loop.advance(1s);
  CHECK(told == std::vector<std::string>{"startup+"});
  loop.advance(2s);
  CHECK(told == std::vector<std::string>{"startup+", "ready+"});
  runner.ok = false;
  loop.advance(20s);
  CHECK(told == std::vector<std::string>{"startup+", "ready+", "ready-", "live-", "live-"});
}

TEST_CASE("a startup probe that never succeeds asks for the container's end") {
  VirtualLoop loop;
  ScriptedRunner runner(loop);
  runner.ok = false;
  auto spec = parse_pod(*object("metadata: {name: p}\nspec: {containers: [{name: app, startupProbe: {exec: {command: [a]}, periodSeconds: 1, failureThreshold: 2}, livenessProbe: {exec: {command: [b]}}}]}"));
  int bad = 0;
  Prober::Callbacks callbacks;
  callbacks.result = [&](ProbeKind kind, bool ok, const std::string&) { bad += kind == ProbeKind::kStartup && !ok; };
  Prober prober(loop, runner, spec, 0, "id", "", false, false, Duration(0), callbacks);
  loop.advance(1s);
  CHECK(bad == 1);
  prober.stopping();
  int asked = runner.asked;
  loop.advance(10s);
  CHECK(runner.asked == asked);
}

TEST_CASE("httpGet: 200 to 399 is good, a redirect on the same host is followed") {
  VirtualLoop loop;
  Handler h;
  h.kind = Handler::Kind::kHttp;
  h.path = "/healthz";
  h.scheme = "HTTP";
  h.headers = {{"X-Test", "1"}, {"Host", "web.example"}};
  SECTION("ok") {
    Server server(loop, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    auto r = ask(loop, h, server.port);
    CHECK(r.ok);
    CHECK(server.request.starts_with("GET /healthz HTTP/1.1\r\nHost: web.example\r\n"));
    CHECK(server.request.find("X-Test: 1\r\n") != std::string::npos);
    CHECK(server.request.find("User-Agent: kube-probe/") != std::string::npos);
  }
  SECTION("not ok") {
    Server server(loop, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    auto r = ask(loop, h, server.port);
    CHECK_FALSE(r.ok);
    CHECK(r.message == "HTTP probe failed with statuscode: 503");
  }
  SECTION("another host's redirect is an answer") {
    Server server(loop, "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n");
    CHECK(ask(loop, h, server.port).ok);
  }
  SECTION("its own redirect for ever is none") {
    Server server(loop, "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    auto r = ask(loop, h, server.port);
    CHECK_FALSE(r.ok);
  }
  SECTION("rubbish") {
    Server server(loop, "SSH-2.0-nothing\r\n\r\n");
    CHECK_FALSE(ask(loop, h, server.port).ok);
  }
  SECTION("silence") {
    Server server(loop, "");
    server.answer = " ";
    auto r = ask(loop, h, server.port);
    CHECK_FALSE(r.ok);
    CHECK(r.message.find("context deadline exceeded") != std::string::npos);
  }
}

TEST_CASE("tcpSocket: it is enough to be let in") {
  VirtualLoop loop;
  Handler h;
  h.kind = Handler::Kind::kTcp;
  int port = 0;
  {
    Server server(loop, "");
    port = server.port;
    CHECK(ask(loop, h, port).ok);
  }
  CHECK_FALSE(ask(loop, h, port).ok);
  CHECK_FALSE(ask(loop, h, 0).ok);
}
