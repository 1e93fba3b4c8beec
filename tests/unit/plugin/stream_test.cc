#include "core/plugin/stream.h"

#include <catch2/catch.hpp>

#include "core/plugin/code.h"

using namespace lotse;
using namespace lotse::plugin;

namespace {

// A plugin's stream, by hand: remembers what is asked of it.
struct Producer {
  lotse_stream_sink sink{};
  std::string heard;
  int released = 0;
  int32_t code = LOTSE_OK;

  static Producer* of(void* self) { return static_cast<Producer*>(self); }
  int32_t open(const lotse_stream_sink* s, lotse_stream* out, lotse_error* error) {
    if (code != LOTSE_OK) return tell(error, status_of(code, "no such pod"));
    sink = *s;
    *out = {};
    out->size = sizeof *out;
    out->self = this;
    out->grant = [](void* self, uint64_t n) { of(self)->heard += "grant " + std::to_string(n) + ";"; };
    out->write = [](void* self, uint32_t channel, lotse_bytes data) -> int32_t {
      of(self)->heard += "write " + std::to_string(channel) + std::string(view(data)) + ";";
      return view(data) == "full" ? LOTSE_BUSY : LOTSE_OK;
    };
    out->cancel = [](void* self) { of(self)->heard += "cancel;"; };
    out->release = [](void* self) { of(self)->released++; };
    return LOTSE_OK;
  }
  OpenFn fn() {
    return [this](const lotse_stream_sink* s, lotse_stream* out, lotse_error* e) { return open(s, out, e); };
  }
  void item(std::string_view text) { sink.on_item(sink.ctx, 1, bytes(text)); }
  void end(int32_t c, std::string_view text) { sink.on_end(sink.ctx, c, bytes(text)); }
};

struct Heard : StreamSink {
  void on_item(uint32_t channel, Bytes item) override {
    text += std::to_string(channel) + ":" + std::string(item.view()) + ";";
  }
  void on_writable(uint64_t n) override { text += "room " + std::to_string(n) + ";"; }
  void on_end(Status status, Bytes result) override {
    text += "end " + status.message + std::string(result.view()) + ";";
  }
  std::string text;
};

}  // namespace

TEST_CASE("a plugin's stream serves the core, and is released once after its end") {
  Producer producer;
  auto heard = std::make_shared<Heard>();
  StreamPtr stream = *open_stream(producer.fn(), heard);
  stream->grant(5);
  CHECK(stream->write(kStdin, Bytes("hi")));
  CHECK_FALSE(stream->write(kStdin, Bytes("full")));
  CHECK_FALSE(stream->control(Control::kResize, Bytes()));  // the plugin has none
  producer.item("one");
  producer.sink.on_writable(producer.sink.ctx, 7);
  CHECK(producer.released == 0);
  producer.end(LOTSE_OK, "result");
  CHECK(producer.released == 1);
  stream->grant(1);
  CHECK_FALSE(stream->write(kStdin, Bytes("late")));
  stream.reset();
  CHECK(producer.heard == "grant 5;write 0hi;write 0full;");
  CHECK(heard->text == "1:one;room 7;end result;");
  CHECK(producer.released == 1);
}

TEST_CASE("a stream that is dropped is cancelled, and its sink lives until the end") {
  Producer producer;
  auto heard = std::make_shared<Heard>();
  std::weak_ptr<Heard> alive = heard;
  open_stream(producer.fn(), heard)->reset();
  heard.reset();
  CHECK(producer.heard == "cancel;");
  REQUIRE_FALSE(alive.expired());
  CHECK(producer.released == 0);
  producer.end(LOTSE_CANCELLED, "cancelled");
  CHECK(producer.released == 1);
  CHECK(alive.expired());
}

TEST_CASE("an end that comes while the stream is being opened is taken") {
  Producer producer;
  auto heard = std::make_shared<Heard>();
  auto stream = open_stream(
      [&](const lotse_stream_sink* s, lotse_stream* out, lotse_error* e) {
        int32_t code = producer.open(s, out, e);
        producer.end(LOTSE_NOT_FOUND, "gone already");
        return code;
      },
      heard);
  REQUIRE(stream.ok());
  CHECK(heard->text == "end gone already;");
  CHECK(producer.released == 1);
}

TEST_CASE("an end that comes while a call of ours is inside is released after that call, once") {
  Producer producer;
  auto heard = std::make_shared<Heard>();
  auto open = [&](const lotse_stream_sink* s, lotse_stream* out, lotse_error* e) {
    int32_t code = producer.open(s, out, e);
    out->cancel = [](void* self) {
      Producer::of(self)->end(LOTSE_CANCELLED, "cancelled");  // as another thread of the plugin might just then
      CHECK(Producer::of(self)->released == 0);
    };
    return code;
  };
  StreamPtr stream = *open_stream(open, heard);
  stream->cancel();
  CHECK(producer.released == 1);
  stream->cancel();
  stream.reset();
  CHECK(producer.released == 1);
  CHECK(heard->text == "end cancelled;");
}

TEST_CASE("a refused open calls nobody") {
  Producer producer;
  producer.code = LOTSE_NOT_FOUND;
  auto heard = std::make_shared<Heard>();
  auto stream = open_stream(producer.fn(), heard);
  CHECK(stream.status().reason == Reason::kNotFound);
  CHECK(stream.status().message == "no such pod");
  CHECK(heard->text.empty());
  CHECK(heard.use_count() == 1);
}

namespace {

struct CoreStream : Stream {
  explicit CoreStream(std::string* h, SinkPtr s) : heard(h), sink(std::move(s)) {}
  ~CoreStream() override { *heard += "gone;"; }
  void grant(uint64_t n) override { *heard += "grant " + std::to_string(n) + ";"; }
  bool write(uint32_t, Bytes data) override { return data.view() != "full"; }
  void cancel() override { *heard += "cancel;"; }
  std::string* heard;
  SinkPtr sink;
};

}  // namespace

TEST_CASE("a stream of the core serves a plugin") {
  Heard heard;
  lotse_stream_sink sink{sizeof sink, 0, &heard, nullptr, nullptr, nullptr};
  sink.on_item = [](void* ctx, uint32_t channel, lotse_bytes item) {
    static_cast<Heard*>(ctx)->on_item(channel, Bytes(view(item)));
  };
  sink.on_end = [](void* ctx, int32_t code, lotse_bytes payload) {
    static_cast<Heard*>(ctx)->on_end(status_of(code, view(payload)), code == LOTSE_OK ? Bytes(view(payload)) : Bytes());
  };
  lotse_stream stream{};
  lotse_error error = make_error();
  std::string asked;
  SinkPtr core;
  int32_t code = serve_stream(
      [&](SinkPtr s) -> Result<StreamPtr> {
        core = s;
        return StreamPtr(std::make_unique<CoreStream>(&asked, s));
      },
      &sink, &stream, &error);
  REQUIRE(code == LOTSE_OK);
  stream.grant(stream.self, 9);
  CHECK(stream.write(stream.self, 0, bytes("x")) == LOTSE_OK);
  CHECK(stream.write(stream.self, 0, bytes("full")) == LOTSE_BUSY);
  core->on_item(1, Bytes("one"));
  core->on_end(Status(Reason::kNotFound, "no more"), Bytes());
  stream.release(stream.self);
  CHECK(heard.text == "1:one;end no more;");
  CHECK(asked == "grant 9;gone;");
  code = serve_stream([](SinkPtr) -> Result<StreamPtr> { return Status(Reason::kForbidden, "not yours"); }, &sink,
                      &stream, &error);
  CHECK(code == LOTSE_DENIED);
  CHECK(std::string(error.message) == "not yours");
}

TEST_CASE("codes and reasons go both ways") {
  for (int32_t code = LOTSE_OK; code <= LOTSE_BUSY; code++) {
    if (code == LOTSE_READ_ONLY) continue;  // told from LOTSE_NO_SPACE by its sentence only
    CHECK(code_of(status_of(code, "")) == code);
    if (code != LOTSE_OK) CHECK_FALSE(status_of(code, "").message.empty());
  }
  CHECK(status_of(77, "x").message == "the plugin answered with the unknown code 77: x");
}
