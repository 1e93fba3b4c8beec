#include "lotse/stream.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/sdk/fake_host.h"

using namespace lotse::sdk;

namespace {

struct Opener {
  lotse_stream_sink sink{sizeof(lotse_stream_sink), 0, this, on_item, on_writable, on_end};
  lotse_stream stream{};
  std::string heard;
  int depth = 0;
  bool released = false;

  static Opener* of(void* ctx) { return static_cast<Opener*>(ctx); }
  struct Inside {
    explicit Inside(Opener* o) : opener(o) { CHECK(opener->depth++ == 0); }
    ~Inside() { opener->depth--; }
    Opener* opener;
  };
  static void on_item(void* ctx, uint32_t channel, lotse_bytes item) {
    Inside inside(of(ctx));
    of(ctx)->heard += "[" + std::to_string(channel) + ":" + std::string(view(item)) + "]";
    if (of(ctx)->grant_each) of(ctx)->stream.grant(of(ctx)->stream.self, of(ctx)->grant_each);
  }
  static void on_writable(void* ctx, uint64_t bytes) {
    Inside inside(of(ctx));
    of(ctx)->heard += "(room " + std::to_string(bytes) + ")";
  }
  static void on_end(void* ctx, int32_t code, lotse_bytes payload) {
    Inside inside(of(ctx));
    of(ctx)->heard += "<" + std::to_string(code) + " " + std::string(view(payload)) + ">";
    of(ctx)->stream.release(of(ctx)->stream.self);
    of(ctx)->released = true;
  }
  uint64_t grant_each = 0;
};

// Counts up, an item for each bit of credit; echoes what is written; throws on "throw".
struct Counter : Producer {
  using Producer::Producer;
  int next = 1, last = 3;
  bool gone_with = false;
  void on_credit() override {
    while (next <= last && send(1, std::to_string(next))) next++;
    if (next > last) end("all");
  }
  bool on_write(uint32_t channel, std::string_view data) override {
    if (data == "throw") throw std::runtime_error("ouch");
    if (channel != LOTSE_STDIN) return false;
    send(1, data);
    consumed(data.size());
    return true;
  }
};

}  // namespace

TEST_CASE("a producer sends on credit only, never from within the opener's call, and ends once") {
  FakeHost host;
  Opener opener;
  auto producer = std::make_shared<Counter>(host.host());
  CHECK_FALSE(producer->send(1, "too early"));
  producer->attach(opener.sink, &opener.stream);
  CHECK_FALSE(producer->send(1, "no credit"));
  opener.stream.grant(opener.stream.self, 2);
  CHECK(opener.heard.empty());  // it would have been from within grant
  host.run();
  CHECK(opener.heard == "[1:1][1:2]");
  opener.stream.grant(opener.stream.self, 1000);
  host.run();
  CHECK(opener.heard == "[1:1][1:2][1:3]<0 all>");
  CHECK(opener.released);
  CHECK_FALSE(producer->send(1, "after the end"));
  producer->fail(LOTSE_INTERNAL, "again");
  host.run();
  CHECK(opener.heard == "[1:1][1:2][1:3]<0 all>");
}

TEST_CASE("credit granted from within on_item does not nest items") {
  FakeHost host;
  Opener opener;
  opener.grant_each = 4;  // the longest item
  auto producer = std::make_shared<Counter>(host.host());
  producer->last = 1000;
  producer->attach(opener.sink, &opener.stream);
  opener.stream.grant(opener.stream.self, 1);
  host.run();
  CHECK(opener.heard.substr(opener.heard.size() - 15) == "[1:1000]<0 all>");
}

TEST_CASE("a producer's own thread delivers directly, and cancel ends it") {
  FakeHost host;
  Opener opener;
  auto producer = std::make_shared<Counter>(host.host());
  producer->last = 0;
  producer->next = 1;
  struct Quiet : Counter {
    using Counter::Counter;
    void on_credit() override {}
  };
  auto quiet = std::make_shared<Quiet>(host.host());
  quiet->attach(opener.sink, &opener.stream);
  opener.stream.grant(opener.stream.self, 5);
  CHECK(quiet->send(2, "large item"));  // any credit above zero takes an item of any size
  CHECK(opener.heard == "[2:large item]");
  CHECK_FALSE(quiet->send(2, "x"));
  opener.stream.cancel(opener.stream.self);
  CHECK_FALSE(opener.released);
  host.run();
  CHECK(opener.heard == "[2:large item]<11 cancelled>");
}

TEST_CASE("the opener writes on credit, and what a producer throws ends the stream") {
  FakeHost host;
  Opener opener;
  struct Sponge : Producer {
    using Producer::Producer;
    bool on_write(uint32_t channel, std::string_view data) override {
      if (data == "throw") throw std::runtime_error("ouch");
      return channel == LOTSE_STDIN;
    }
  };
  auto producer = std::make_shared<Sponge>(host.host());
  producer->attach(opener.sink, &opener.stream);
  auto write = [&](uint32_t channel, std::string_view data) {
    return opener.stream.write(opener.stream.self, channel, bytes(data));
  };
  std::string big(LOTSE_STREAM_WINDOW, 'x');
  CHECK(write(7, "x") == LOTSE_UNSUPPORTED);
  CHECK(write(0, big) == LOTSE_OK);
  CHECK(write(0, "y") == LOTSE_BUSY);
  producer->consumed(10);
  CHECK(opener.heard == "(room 10)");
  CHECK(write(0, "throw") == LOTSE_CANCELLED);
  host.run();
  CHECK(opener.heard == "(room 10)<13 an exception came out of on_write: ouch>");
}

TEST_CASE("an end that comes before the stream is open is delivered after it") {
  FakeHost host;
  Opener opener;
  auto producer = std::make_shared<Counter>(host.host());
  producer->fail(LOTSE_NOT_FOUND, "no such container");
  producer->attach(opener.sink, &opener.stream);
  CHECK(opener.heard.empty());
  host.run();
  CHECK(opener.heard == "<2 no such container>");
}
