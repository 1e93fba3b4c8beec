#include <catch2/catch.hpp>

#include "core/base/msgpack.h"
#include "core/bus/api_stream.h"
#include "core/bus/mux.h"

using namespace lotse;
using namespace lotse::bus;

namespace {

// Remembers what a stream brings.
struct Recorder : StreamSink {
  std::vector<std::pair<uint32_t, std::string>> items;
  uint64_t writable = 0;
  int ends = 0;
  Status status;
  void on_item(uint32_t channel, Bytes item) override { items.emplace_back(channel, std::string(item.view())); }
  void on_writable(uint64_t bytes) override { writable += bytes; }
  void on_end(Status s, Bytes) override { ++ends, status = std::move(s); }
};

// Remembers what the opener asks of a producer.
struct Producer : Stream {
  SinkPtr sink;
  uint64_t granted = 0;
  std::string written;
  bool closed = false, cancelled = false;
  struct View { Producer* p = nullptr; };
  std::shared_ptr<View> view = std::make_shared<View>(View{this});
  ~Producer() override { view->p = nullptr; }
  void grant(uint64_t bytes) override { granted += bytes; }
  bool write(uint32_t, Bytes data) override { written += data.view(); return true; }
  void half_close(uint32_t) override { closed = true; }
  void cancel() override { cancelled = true; }
};

// A worker's and a master's end with a wire between them that passes on frames one by one.
struct Pair {
  VirtualLoop loop;
  std::shared_ptr<Producer::View> producer;
  std::shared_ptr<Mux> worker, master;
  Mux::Acceptor acceptor = [this](const std::string& kind, Bytes, SinkPtr sink) -> Result<StreamPtr> {
    if (kind != "echo") return Status(Reason::kNotFound, "no streams of the kind " + kind);
    auto p = std::make_unique<Producer>();
    p->sink = sink;
    producer = p->view;
    return StreamPtr(std::move(p));
  };
  Pair() {
    worker = Mux::make(loop, true, 7, acceptor, nullptr);
    master = Mux::make(loop, false, 7, [this](const std::string& k, Bytes a, SinkPtr s) { return acceptor(k, a, s); }, nullptr);
  }
  Status pass() {
    std::string frame;
    for (bool again = true; again;) {
      again = false;
      loop.run();
      while (worker->next(&frame)) { again = true; LOTSE_CHECK_OK(master->receive(*decode(frame))); }
      loop.run();
      while (master->next(&frame)) { again = true; LOTSE_CHECK_OK(worker->receive(*decode(frame))); }
    }
    return {};
  }
};

}  // namespace

TEST_CASE("a stream carries items, writes, a half-close and one end") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", Bytes("x"), sink, 100);
  REQUIRE(pair.pass().ok());
  REQUIRE(pair.producer->p);
  CHECK(pair.producer->p->granted == 100);
  REQUIRE((*stream)->write(kStdin, Bytes("hello")));
  (*stream)->half_close(kStdin);
  REQUIRE(pair.pass().ok());
  CHECK(pair.producer->p->written == "hello");
  CHECK(pair.producer->p->closed);
  SinkPtr out = pair.producer->p->sink;
  out->on_item(kStdout, Bytes("a"));
  out->on_item(kStderr, Bytes("b"));
  out->on_end({}, {});
  REQUIRE(pair.pass().ok());
  CHECK(sink->items == std::vector<std::pair<uint32_t, std::string>>{{kStdout, "a"}, {kStderr, "b"}});
  CHECK(sink->ends == 1);
  CHECK(pair.worker->streams() == 0);
  CHECK(pair.master->streams() == 0);
}

TEST_CASE("credit and cancel that are given at once do not overtake the opening") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", {}, sink);
  (*stream)->grant(77);
  (*stream)->cancel();
  REQUIRE(pair.pass().ok());
  REQUIRE(pair.producer->p);
  CHECK(pair.producer->p->granted == 77);
  CHECK(pair.producer->p->cancelled);
}

TEST_CASE("an item over a frame's size arrives whole") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", {}, sink, 1);
  REQUIRE(pair.pass().ok());
  std::string big(300'000, 'z');
  pair.producer->p->sink->on_item(0, Bytes(big));
  REQUIRE(pair.pass().ok());
  REQUIRE(sink->items.size() == 1);
  CHECK(sink->items[0].second == big);
}

TEST_CASE("a stream that brings more than was granted ends, and the session goes on") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", {}, sink, 1);
  REQUIRE(pair.pass().ok());
  pair.producer->p->sink->on_item(0, Bytes("within"));
  pair.producer->p->sink->on_item(0, Bytes("beyond"));
  CHECK(pair.pass().ok());
  CHECK(sink->items.size() == 1);
  CHECK(sink->ends == 1);
  CHECK(sink->status.reason == Reason::kBadRequest);
  CHECK(pair.producer->p->cancelled);
  auto other = std::make_shared<Recorder>();
  auto next = pair.worker->open("echo", {}, other, 1);
  CHECK(pair.pass().ok());
  CHECK(other->ends == 0);
}

TEST_CASE("an opener without credit may not write, and may again when it gets some") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", {}, sink, 1);
  std::string block(kStreamWindow, 'x');
  REQUIRE((*stream)->write(0, Bytes(block)));
  CHECK_FALSE((*stream)->write(0, Bytes("more")));
  REQUIRE(pair.pass().ok());
  pair.producer->p->sink->on_writable(10);
  REQUIRE(pair.pass().ok());
  CHECK(sink->writable == 10);
  CHECK((*stream)->write(0, Bytes("more")));
}

TEST_CASE("what nobody offers ends with the reason") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("dance", {}, sink);
  REQUIRE(pair.pass().ok());
  CHECK(sink->ends == 1);
  CHECK(sink->status.reason == Reason::kNotFound);
  CHECK(sink->status.message == "no streams of the kind dance");
}

TEST_CASE("dropping the stream cancels at the producer") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", {}, sink);
  REQUIRE(pair.pass().ok());
  stream->reset();
  REQUIRE(pair.pass().ok());
  CHECK(pair.producer->p->cancelled);
}

TEST_CASE("closing the session ends every stream once, with the reason") {
  Pair pair;
  auto sink = std::make_shared<Recorder>();
  auto stream = pair.worker->open("echo", {}, sink);
  REQUIRE(pair.pass().ok());
  pair.worker->close(Status(Reason::kServiceUnavailable, "gone"));
  pair.loop.run();
  CHECK(sink->ends == 1);
  CHECK(sink->status.message == "gone");
  auto late = std::make_shared<Recorder>();
  auto second = pair.worker->open("echo", {}, late);
  pair.loop.run();
  CHECK(late->ends == 1);
}

TEST_CASE("frames of another epoch are dropped") {
  Pair pair;
  Frame f;
  f.type = FrameType::kOpen;
  f.epoch = 6;
  f.stream = 1;
  f.text = "echo";
  CHECK(pair.master->receive(f).ok());
  CHECK(pair.master->streams() == 0);
}

TEST_CASE("opening a stream under the peer's own numbers, or twice, is an offence") {
  Pair pair;
  Frame f;
  f.type = FrameType::kOpen;
  f.epoch = 7;
  f.stream = 2;
  f.text = "echo";
  CHECK_FALSE(pair.master->receive(f).ok());
  f.stream = 3;
  CHECK(pair.master->receive(f).ok());
  CHECK_FALSE(pair.master->receive(f).ok());
}

TEST_CASE("streams take turns") {
  Pair pair;
  auto one = std::make_shared<Recorder>(), two = std::make_shared<Recorder>();
  auto a = pair.worker->open("echo", {}, one, 1 << 20);
  REQUIRE(pair.pass().ok());
  SinkPtr first = pair.producer->p->sink;
  auto b = pair.worker->open("echo", {}, two, 1 << 20);
  REQUIRE(pair.pass().ok());
  SinkPtr second = pair.producer->p->sink;
  first->on_item(0, Bytes(std::string(600'000, 'a')));
  second->on_item(0, Bytes("b"));
  pair.loop.run();
  std::string frame;
  for (int i = 0; i < 2; ++i) {  // ten frames of the first are waiting
    REQUIRE(pair.master->next(&frame));
    REQUIRE(pair.worker->receive(*decode(frame)).ok());
  }
  pair.loop.run();
  CHECK(two->items.size() == 1);
  CHECK(one->items.empty());
}

TEST_CASE("garbage is never a frame") {
  CHECK_FALSE(decode("").ok());
  CHECK_FALSE(decode("\x94\x01").ok());
  CHECK_FALSE(decode(std::string(70'000, 'x')).ok());
  CHECK_FALSE(decode("\x94\x20\x01\x01\x01").ok());  // type 32
  Frame f;
  f.type = FrameType::kData;
  f.epoch = 1ull << 60;
  f.stream = 9;
  f.channel = 2;
  f.payload = Bytes("x");
  auto back = decode(encode(f));
  REQUIRE(back.ok());
  CHECK(back->epoch == f.epoch);
  CHECK(back->channel == 2);
  CHECK(back->payload.view() == "x");
}

namespace {
struct Answers : api::Handler {
  std::function<void(api::Request, api::Respond)> fn;
  void handle(api::Request r, api::Respond respond) override { fn(std::move(r), std::move(respond)); }
};
struct ApiPair : Pair {
  Answers handler;
  ApiPair() {
    auto user = std::make_shared<const security::User>(security::node_user("n1"));
    acceptor = [this, user](const std::string&, Bytes arguments, SinkPtr sink) { return accept_request(handler, loop, user, "here", arguments, sink); };
  }
};
}  // namespace

TEST_CASE("a request crosses the session with its body, and its answer comes back") {
  ApiPair pair;
  pair.handler.fn = [](api::Request r, api::Respond respond) {
    CHECK(r.verb == api::Verb::kCreate);
    CHECK(r.resource == "pods");
    CHECK(r.option("dryRun") == "All");
    CHECK(r.peer.trusted->name == "system:node:n1");
    api::Response out;
    out.status = 201;
    out.body = {Bytes("got "), Bytes(std::to_string(r.body.size()))};
    respond(std::move(out));
  };
  api::Request r;
  r.verb = api::Verb::kCreate;
  r.resource = "pods";
  r.options = {{"dryRun", "All"}};
  r.body = Bytes(std::string(1'000'000, 'b'));
  api::Response got;
  send_request(*pair.worker, r, [&](api::Response response) { got = std::move(response); });
  REQUIRE(pair.pass().ok());
  CHECK(got.status == 201);
  CHECK(got.text() == "got 1000000");
}

TEST_CASE("a large answer crosses in order and within credit") {
  ApiPair pair;
  std::string expected;
  pair.handler.fn = [&](api::Request, api::Respond respond) {
    api::Response out;
    for (int i = 0; i < 20'000; ++i) {
      std::string part = "item " + std::to_string(i) + std::string(static_cast<size_t>(i % 700), '.');
      expected += part;
      out.body.emplace_back(part);
    }
    respond(std::move(out));
  };
  api::Response got;
  send_request(*pair.worker, {}, [&](api::Response response) { got = std::move(response); });
  REQUIRE(pair.pass().ok());
  CHECK(got.text() == expected);
}

TEST_CASE("a watch streams events as they are granted") {
  ApiPair pair;
  auto view = std::make_shared<Producer::View>();
  SinkPtr events;
  uint64_t* granted = nullptr;
  pair.handler.fn = [&](api::Request, api::Respond respond) {
    api::Response out;
    out.headers = {{"X", std::string(300, 'h')}};  // a head that takes more credit than there was
    out.stream = [&](SinkPtr sink) -> Result<StreamPtr> {
      auto p = std::make_unique<Producer>();
      events = sink;
      granted = &p->granted;
      return StreamPtr(std::move(p));
    };
    respond(std::move(out));
  };
  api::Request r;
  r.verb = api::Verb::kWatch;
  api::Response got;
  send_request(*pair.worker, r, [&](api::Response response) { got = std::move(response); });
  REQUIRE(pair.pass().ok());
  REQUIRE(got.stream);
  auto sink = std::make_shared<Recorder>();
  auto stream = got.stream(sink);
  REQUIRE(stream.ok());
  (*stream)->grant(10'000);
  REQUIRE(pair.pass().ok());
  REQUIRE(granted);
  CHECK(*granted > 0);
  CHECK(*granted < 10'000);
  std::string event(*granted - 1, 'e');
  events->on_item(0, Bytes(event));
  events->on_item(0, Bytes("f"));
  events->on_end(Status(Reason::kExpired, "too old"), {});
  REQUIRE(pair.pass().ok());
  REQUIRE(sink->items.size() == 2);
  CHECK(sink->ends == 1);
  CHECK(sink->status.reason == Reason::kExpired);
}

TEST_CASE("an answer that nobody opens gives its stream up") {
  ApiPair pair;
  std::shared_ptr<Producer::View> producer;
  pair.handler.fn = [&](api::Request, api::Respond respond) {
    api::Response out;
    out.stream = [&](SinkPtr) -> Result<StreamPtr> {
      auto p = std::make_unique<Producer>();
      producer = p->view;
      return StreamPtr(std::move(p));
    };
    respond(std::move(out));
  };
  api::Request r;
  r.verb = api::Verb::kWatch;
  send_request(*pair.worker, r, [](api::Response) {});
  REQUIRE(pair.pass().ok());
  REQUIRE(producer->p);
  CHECK(producer->p->cancelled);
}
