#include "plugins/engine_http/http_exchange.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>

#include "unit/engine_http/fake_server.h"

using namespace lotse::engine_http;

namespace {

// What an exchange came to, waited for.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  int status = 0;
  bool taken_over = false, ended = false;
  std::string body;
  int32_t code = -1;

  HttpHandler handler() {
    HttpHandler h;
    h.on_head = [this](int s, bool stream) {
      std::lock_guard lock(mutex);
      status = s, taken_over = stream;
      changed.notify_all();
    };
    h.on_body = [this](std::string_view piece) {
      std::lock_guard lock(mutex);
      body += piece;
      changed.notify_all();
    };
    h.on_end = [this](const Verdict& verdict) {
      std::lock_guard lock(mutex);
      ended = true, code = verdict.code();
      changed.notify_all();
    };
    return h;
  }
  void wait(const std::function<bool()>& until) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), until));
  }
  void wait_end() {
    wait([this] { return ended; });
  }
};

struct Loop {
  Loop() { reactor.start(); }
  ~Loop() { reactor.stop(); }
  std::shared_ptr<HttpExchange> start(const std::string& socket, HttpRequest request, HttpHandler handler) {
    std::shared_ptr<HttpExchange> made;
    reactor.run([&] { made = HttpExchange::start(reactor, socket, std::move(request), std::move(handler), 0); });
    return made;
  }
  Reactor reactor;
};

HttpRequest get(const std::string& target) {
  HttpRequest request;
  request.target = target;
  return request;
}

}  // namespace

TEST_CASE("an answer comes with its status and its body, whole or in chunks") {
  FakeServer server({[](int fd) {
                       std::string head = FakeServer::read_head(fd);
                       bool right = head.starts_with("GET /v1/_ping HTTP/1.1\r\n");
                       FakeServer::say(fd, right ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK" : "nonsense");
                     },
                     [](int fd) {
                       FakeServer::read_head(fd);
                       FakeServer::say(fd, "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
                       FakeServer::say(fd, "2\r\nde\r\n0\r\n\r\n");
                     }});
  Loop loop;
  Heard one, two;
  loop.start(server.socket(), get("/v1/_ping"), one.handler());
  one.wait_end();
  CHECK(one.code == LOTSE_OK);
  CHECK(one.status == 200);
  CHECK(one.body == "OK");
  loop.start(server.socket(), get("/x"), two.handler());
  two.wait_end();
  CHECK(two.code == LOTSE_OK);
  CHECK(two.status == 404);
  CHECK(two.body == "abcde");
}

TEST_CASE("an answer that breaks off is unknown, and no server is unavailable") {
  FakeServer server({[](int fd) {
    FakeServer::read_head(fd);
    FakeServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  }});
  Loop loop;
  Heard broken, none;
  loop.start(server.socket(), get("/"), broken.handler());
  broken.wait_end();
  CHECK(broken.code == LOTSE_UNKNOWN);
  loop.start(server.socket() + ".not", get("/"), none.handler());
  none.wait_end();
  CHECK(none.code == LOTSE_UNAVAILABLE);
}

TEST_CASE("a connection that is taken over carries bytes both ways, and our end can be shut alone") {
  FakeServer server({[](int fd) {
    std::string head = FakeServer::read_head(fd);
    bool asked = head.find("Upgrade: tcp\r\n") != std::string::npos;
    FakeServer::say(fd,
                    asked ? "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\nfirst " : "HTTP/1.1 400 X\r\n\r\n");
    std::string all;
    char c;
    while (read(fd, &c, 1) == 1) all += c;
    FakeServer::say(fd, "got " + all);
  }});
  Loop loop;
  Heard heard;
  HttpRequest request;
  request.method = "POST";
  request.target = "/exec";
  request.upgrade = true;
  auto exchange = loop.start(server.socket(), request, heard.handler());
  loop.reactor.run([&] {
    exchange->write("early");
    exchange->finish();
  });
  heard.wait_end();
  CHECK(heard.code == LOTSE_OK);
  CHECK(heard.taken_over);
  CHECK(heard.body == "first got early");
}

TEST_CASE("while the taker has no room nothing is read") {
  FakeServer server({[](int fd) {
    FakeServer::read_head(fd);
    FakeServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + std::string(4'000'000, 'x'));
  }});
  Loop loop;
  Heard heard;
  std::atomic<bool> room = true;
  HttpHandler handler = heard.handler();
  auto take = handler.on_body;
  handler.on_body = [&](std::string_view piece) {
    room = false;
    take(piece);
  };
  handler.has_room = [&] { return room.load(); };
  auto exchange = loop.start(server.socket(), get("/"), std::move(handler));
  heard.wait([&] { return !heard.body.empty(); });
  loop.reactor.run([] {});
  CHECK(heard.body.size() <= 64 << 10);
  while (!heard.ended) {
    room = true;
    loop.reactor.run([&] { exchange->room_again(); });
  }
  CHECK(heard.body.size() == 4'000'000);
}

TEST_CASE("what is not plain in a path is encoded") {
  CHECK(percent_encode("a b/c:d%") == "a%20b%2Fc%3Ad%25");
}
