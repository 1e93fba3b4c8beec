// A link and host streams for tests of protocols: what was sent is kept as text.
#pragma once
#include <lotse/abi/stream.h>

#include <vector>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/link.h"

namespace lotse::transport_rest::testing {

struct FakeLink : Link {
  std::string sent;
  uint64_t stuck = 0;  // pretends that so many bytes have not left
  bool finished = false, aborted = false;
  int resumed = 0;
  Wait waiting = Wait::kNothing;
  std::unique_ptr<Protocol> next;

  void send(std::string text) override { sent += text; }
  void send(Body body) override {
    for (size_t i = 0; i < body.count(); ++i) sent += body.part(i);
  }
  void send(std::unique_ptr<Source> source) override {
    while (source->more(sent)) {
    }
  }
  uint64_t backlog() const override { return stuck; }
  void resume() override { ++resumed; }
  void wait(Wait what) override { waiting = what; }
  void finish() override { finished = true; }
  void abort() override { aborted = true; }
  void become(std::unique_ptr<Protocol> p) override { next = std::move(p); }
  std::string take() { return std::exchange(sent, {}); }
};

// The host's side of one stream.
struct FakeStream {
  StreamUser* user = nullptr;
  uint64_t granted = 0;
  uint64_t credit = 1 << 20;
  std::vector<std::string> input = std::vector<std::string>(4);
  std::vector<bool> closed = std::vector<bool>(4);
  std::string size;
  bool gone = false;

  struct Handle : ByteStream {
    FakeStream& s;
    explicit Handle(FakeStream& stream) : s(stream) {}
    ~Handle() override { s.gone = true; }
    void grant(uint64_t bytes) override { s.granted += bytes; }
    bool write(uint32_t channel, std::string_view bytes) override {
      if (s.credit == 0) return false;
      s.credit -= std::min<uint64_t>(s.credit, bytes.size());
      s.input[channel] += bytes;
      return true;
    }
    void half_close(uint32_t channel) override { s.closed[channel] = true; }
    void resize(uint16_t w, uint16_t h) override { s.size = std::to_string(w) + "x" + std::to_string(h); }
  };
  std::unique_ptr<ByteStream> open(StreamUser& u) {
    user = &u;
    return std::make_unique<Handle>(*this);
  }
  OpenStream opener() {
    return [this](StreamUser& u) { return open(u); };
  }
};

}  // namespace lotse::transport_rest::testing
