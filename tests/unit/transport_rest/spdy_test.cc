#include <zlib.h>

#include <catch2/catch.hpp>

#include "plugins/transport_rest/spdy_command.h"
#include "plugins/transport_rest/spdy_port_forward.h"
#include "plugins/transport_rest/ws_tunnel.h"
#include "tests/unit/transport_rest/fake_link.h"

using namespace lotse::transport_rest;
using namespace lotse::transport_rest::testing;
using namespace std::string_literals;

namespace {

std::string be32(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}
std::string control(int type, std::string_view payload, int flags = 0) {
  return be32(0x80030000u | static_cast<uint32_t>(type)) + be32(static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(payload.size())) + std::string(payload);
}
std::string data(uint32_t id, std::string_view bytes, bool fin = false) {
  return be32(id) + be32((fin ? 1u << 24 : 0u) | static_cast<uint32_t>(bytes.size())) + std::string(bytes);
}

// Concatenates in order (the operands of + are evaluated in any).
std::string join(std::initializer_list<std::string> parts) {
  std::string out;
  for (const auto& part : parts) out += part;
  return out;
}

// A client's side: makes frames and takes apart what the server sent.
struct Client {
  SpdyDeflater deflater;
  std::string syn(uint32_t id, const Headers& headers, bool fin = false) {
    return control(1, be32(id) + be32(0) + "\0\0"s + deflater.write(headers), fin);
  }
};

struct Frame {
  uint32_t type = 0, id = 0;  // type 0: data
  bool fin = false;
  std::string payload;
};
std::vector<Frame> frames(std::string_view bytes) {
  const auto u32 = [&](size_t at) {
    uint32_t v = 0;
    for (size_t i = at; i < at + 4; ++i) v = v << 8 | static_cast<uint8_t>(bytes[i]);
    return v;
  };
  std::vector<Frame> out;
  while (!bytes.empty()) {
    REQUIRE(bytes.size() >= 8);
    Frame f;
    const size_t size = u32(4) & 0xFFFFFF;
    REQUIRE(bytes.size() >= 8 + size);
    f.fin = bytes[4] & 1;
    f.payload = bytes.substr(8, size);
    if (u32(0) & 0x80000000) {
      f.type = u32(0) & 0xFFFF;
      f.id = size >= 4 ? u32(8) : 0;
    } else {
      f.id = u32(0);
    }
    out.push_back(f);
    bytes.remove_prefix(8 + size);
  }
  return out;
}
std::string text_of(const std::vector<Frame>& all, uint32_t id) {
  std::string text;
  for (const auto& f : all) {
    if (f.type == 0 && f.id == id) text += f.payload + (f.fin ? "$" : "");
  }
  return text;
}

struct Recorder : SpdyHandler {
  SpdySession* session = nullptr;
  std::string log;
  void on_stream(uint32_t id, const Headers& headers, bool fin) override {
    log += "open " + std::to_string(id) + (fin ? "$" : "");
    for (const auto& [name, value] : headers) log += " " + name + "=" + value;
    log += "; ";
    session->reply(id);
  }
  void on_data(uint32_t id, std::string_view bytes, bool fin) override {
    log += std::to_string(id) + ":" + std::string(bytes) + (fin ? "$" : "") + "; ";
    session->consumed(id, bytes.size());
  }
  void on_reset(uint32_t id) override { log += "reset " + std::to_string(id) + "; "; }
  void on_goaway() override { log += "gone; "; }
};

struct Fixture {
  Recorder recorder;
  FakeLink link;
  SpdySession session{recorder, link};
  Client client;
  Fixture() { recorder.session = &session; }
};

}  // namespace

TEST_CASE("the dictionary is that of SPDY/3") {
  const std::string_view words = spdy_dictionary();
  CHECK(words.size() == 1423);
  CHECK(adler32(adler32(0, nullptr, 0), reinterpret_cast<const Bytef*>(words.data()), static_cast<uInt>(words.size())) == 0xe3c6a7c2);
  SpdyDeflater deflater;
  CHECK(deflater.write({}).substr(2, 4) == "\xe3\xc6\xa7\xc2");
}

TEST_CASE("header blocks survive the way, several of them through one zlib stream") {
  SpdyDeflater deflater;
  SpdyInflater inflater;
  const Headers first = {{"streamtype", "error"}, {"port", "80"}}, second = {{"streamtype", "data"}};
  CHECK(inflater.read(deflater.write(first)) == first);
  CHECK(inflater.read(deflater.write(second)) == second);
  CHECK(inflater.read(deflater.write({})) == Headers{});
  CHECK(inflater.read(deflater.write({{"X-Many", "a\0b"s}})) == Headers{{"x-many", "a"}, {"x-many", "b"}});
}

TEST_CASE("header blocks that are broken or too large are refused") {
  CHECK_FALSE(SpdyInflater().read("rubbish"));
  SpdyDeflater bomb;
  CHECK_FALSE(SpdyInflater().read(bomb.write({{"a", std::string(kSpdyHeaderBytesMax, 'x')}})));
  Headers many;
  for (size_t i = 0; i <= kSpdyHeadersMax; ++i) many.emplace_back("a" + std::to_string(i), "");
  SpdyDeflater deflater;
  CHECK_FALSE(SpdyInflater().read(deflater.write(many)));
}

TEST_CASE("frames are read however they are cut") {
  for (size_t step : {1u, 3u, 11u, 100000u}) {
    Fixture f;
    const std::string text = join({f.client.syn(1, {{"streamtype", "stdin"}}), data(1, "hello"), control(6, be32(7)), f.client.syn(3, {{"a", "b"}}, true), data(1, "", true)});
    for (size_t at = 0; at < text.size(); at += step) f.session.receive(std::string_view(text).substr(at, step));
    std::string log = f.recorder.log;
    if (step >= 11) CHECK(log == "open 1 streamtype=stdin; 1:hello; open 3$ a=b; 1:$; ");
    const auto sent = frames(f.link.sent);
    REQUIRE(sent.size() == 3);
    CHECK(sent[0].type == 2);
    CHECK(sent[1].type == 6);
    CHECK(sent[1].payload == be32(7));
    CHECK(sent[2].id == 3);
    CHECK_FALSE(f.session.broken());
  }
}

TEST_CASE("a client that breaks the protocol is sent away") {
  Client client;
  const std::string ok = client.syn(1, {});
  const std::string rows[] = {
      "\x80\x02\x00\x01\x00\x00\x00\x00"s,  // version 2
      control(1, "short"),
      control(2, be32(1) + "x"),
      control(9, be32(0) + be32(0)),
      control(4, be32(100)),
      control(6, "x"),
      "\x80\x03\x00\x01\x00\xff\xff\xff"s,  // a control frame of 16 MiB
      data(0, "x"),
  };
  for (size_t i = 0; i < std::size(rows); ++i) {
    INFO(i);
    Fixture f;
    f.session.receive(rows[i]);
    CHECK(f.session.broken());
    CHECK(f.recorder.log == "gone; ");
    const auto sent = frames(f.link.sent);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].type == 7);
    f.session.receive(ok);  // nothing is read any more
    CHECK(f.recorder.log == "gone; ");
  }
  Fixture even;
  even.session.receive(even.client.syn(2, {}));
  CHECK(even.session.broken());
  Fixture twice;
  twice.session.receive(join({twice.client.syn(3, {}), twice.client.syn(3, {})}));
  CHECK(twice.session.broken());
}

TEST_CASE("streams over the limit are refused one by one") {
  Fixture f;
  for (uint32_t i = 0; i <= SpdySession::kStreamsMax; ++i) f.session.receive(f.client.syn(2 * i + 1, {}));
  const auto sent = frames(f.link.sent);
  CHECK(sent.back().type == 3);
  CHECK(sent.back().payload.substr(4) == be32(3));
  CHECK_FALSE(f.session.broken());
  CHECK(f.session.streams() == SpdySession::kStreamsMax);
}

TEST_CASE("a peer without windows gets all, one with windows no more than they allow") {
  Fixture f;
  f.session.receive(f.client.syn(1, {}));
  f.link.take();
  f.session.data(1, std::string(100000, 'x'));
  CHECK(text_of(frames(f.link.take()), 1).size() == 100000);

  Fixture w;
  w.session.receive(control(4, be32(1) + be32(7) + be32(1000)) + w.client.syn(1, {}));
  w.link.take();
  w.session.data(1, std::string(2500, 'x'));
  w.session.fin(1);
  CHECK(text_of(frames(w.link.take()), 1).size() == 1000);
  CHECK(w.session.queued() == 1500);
  w.session.receive(control(9, be32(1) + be32(600)));
  CHECK(text_of(frames(w.link.take()), 1).size() == 600);
  w.session.receive(control(9, be32(1) + be32(5000)));
  CHECK(text_of(frames(w.link.take()), 1) == std::string(900, 'x') + "$");
  CHECK(w.session.queued() == 0);
}

TEST_CASE("windows are paid back as data goes on") {
  Fixture f;
  f.session.receive(f.client.syn(1, {}));
  f.link.take();
  f.session.receive(data(1, std::string(40000, 'x')));
  const auto sent = frames(f.link.take());
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].payload == be32(0) + be32(40000));
  CHECK(sent[1].payload == be32(1) + be32(40000));
}

TEST_CASE("exec over SPDY") {
  FakeStream host;
  FakeLink link;
  Client client;
  SpdyCommand command({true, true, true, false}, 4, host.opener());
  command.begin(link);
  CHECK(link.waiting == Wait::kChannels);
  command.receive(join({client.syn(1, {{"streamtype", "error"}}), data(1, "", true), client.syn(3, {{"streamtype", "stdin"}}),
                        client.syn(5, {{"streamtype", "stdout"}}), data(3, "early")}));
  CHECK(host.user == nullptr);
  command.receive(client.syn(7, {{"streamtype", "stderr"}}));
  REQUIRE(host.user != nullptr);
  CHECK(link.waiting == Wait::kNothing);
  CHECK(host.input[0] == "early");
  command.receive(data(3, " late", true));
  CHECK(host.input[0] == "early late");
  CHECK(host.closed[0]);
  link.take();
  host.user->on_item(LOTSE_STDOUT, "out");
  host.user->on_item(LOTSE_STDERR, "err");
  host.user->on_end(LOTSE_OK, "\x81\xa9" "exit_code\x03");
  const auto sent = frames(link.take());
  CHECK(text_of(sent, 5) == "out$");
  CHECK(text_of(sent, 7) == "err$");
  CHECK(text_of(sent, 1).find("NonZeroExitCode") != std::string::npos);
  CHECK(sent.back().type == 7);
  CHECK(link.finished);
}

TEST_CASE("exec over SPDY with a terminal") {
  FakeStream host;
  FakeLink link;
  Client client;
  SpdyCommand command({true, true, false, true}, 4, host.opener());
  command.begin(link);
  command.receive(join({client.syn(1, {{"streamtype", "error"}}), client.syn(3, {{"streamtype", "resize"}}), data(3, "{\"Width\":80,\"Height\":24}"),
                        client.syn(5, {{"streamtype", "stdin"}}), client.syn(7, {{"streamtype", "stdout"}})}));
  CHECK(host.size == "80x24");
  command.receive(control(7, be32(7) + be32(0)));
  CHECK(link.aborted);
}

TEST_CASE("streams that a command does not know are reset, and one that never gets them ends") {
  FakeStream host;
  FakeLink link;
  Client client;
  SpdyCommand command({false, true, false, false}, 4, host.opener());
  command.begin(link);
  command.receive(join({client.syn(1, {{"streamtype", "nonsense"}}), client.syn(3, {}), client.syn(5, {{"streamtype", "error"}}), client.syn(7, {{"streamtype", "error"}})}));
  const auto sent = frames(link.take());
  REQUIRE(sent.size() == 4);
  CHECK(sent[0].type == 3);
  CHECK(sent[1].type == 3);
  CHECK(sent[2].type == 2);
  CHECK(sent[3].type == 3);
  command.expired(Wait::kChannels);
  CHECK(link.aborted);
  CHECK(host.user == nullptr);
}

TEST_CASE("port-forward over SPDY: a connection for each pair") {
  FakeStream hosts[2];
  std::vector<uint16_t> opened;
  FakeLink link;
  Client client;
  SpdyPortForward forward([&](uint16_t port, StreamUser& user) {
    opened.push_back(port);
    return hosts[opened.size() - 1].open(user);
  });
  forward.begin(link);
  const auto pair = [&](uint32_t id, const std::string& request, const std::string& port) {
    return join({client.syn(id, {{"streamtype", "error"}, {"port", port}, {"requestid", request}}), data(id, "", true),
                 client.syn(id + 2, {{"streamtype", "data"}, {"port", port}, {"requestid", request}})});
  };
  forward.receive(pair(1, "0", "8080") + data(3, "GET /"));
  CHECK(opened == std::vector<uint16_t>{8080});
  CHECK(hosts[0].input[0] == "GET /");
  forward.receive(pair(5, "1", "9090"));
  CHECK(opened == std::vector<uint16_t>{8080, 9090});
  link.take();
  hosts[0].user->on_item(0, "200 OK");
  hosts[0].user->on_end(LOTSE_OK, "");
  CHECK(hosts[0].gone == false);
  hosts[1].user->on_end(LOTSE_UNAVAILABLE, "connection refused");
  CHECK(hosts[0].gone);
  const auto sent = frames(link.take());
  CHECK(text_of(sent, 3) == "200 OK$");
  CHECK(text_of(sent, 1) == "$");
  CHECK(text_of(sent, 5) == "connection refused$");
  forward.receive(client.syn(9, {{"streamtype", "data"}, {"port", "x"}}));
  CHECK(frames(link.take())[0].type == 3);
  forward.receive(data(3, "late"));  // for a connection that has ended: ignored
  CHECK_FALSE(link.finished);
}

TEST_CASE("a client that resets its data stream ends that connection") {
  FakeStream host;
  FakeLink link;
  Client client;
  SpdyPortForward forward([&](uint16_t, StreamUser& user) { return host.open(user); });
  forward.begin(link);
  forward.receive(join({client.syn(1, {{"streamtype", "error"}, {"port", "1"}}), client.syn(3, {{"streamtype", "data"}, {"port", "1"}})}));
  REQUIRE(host.user != nullptr);  // without request ids the pair follows from the numbers
  forward.receive(control(3, be32(3) + be32(5)));
  CHECK(host.gone);
}

TEST_CASE("SPDY runs through a WebSocket") {
  FakeStream host;
  FakeLink link;
  Client client;
  WsTunnel tunnel(std::make_unique<SpdyPortForward>([&](uint16_t, StreamUser& user) { return host.open(user); }));
  tunnel.begin(link);
  const std::string inside = join({client.syn(1, {{"streamtype", "error"}, {"port", "1"}}), client.syn(3, {{"streamtype", "data"}, {"port", "1"}}), data(3, "hi")});
  for (size_t at = 0; at < inside.size(); at += 50) {
    const std::string part = inside.substr(at, 50);
    tunnel.receive("\x82"s + static_cast<char>(0x80 | part.size()) + "\0\0\0\0"s + part);
  }
  CHECK(host.input[0] == "hi");
  link.take();
  host.user->on_item(0, "ho");
  CHECK(link.take() == "\x82\x0a"s + data(3, "ho"));
  tunnel.receive("\x88\x80\0\0\0\0"s);
  CHECK(link.finished);
}
