#include <catch2/catch.hpp>

#include "plugins/transport_rest/exit_status.h"
#include "plugins/transport_rest/push_stream.h"
#include "plugins/transport_rest/ws_command.h"
#include "plugins/transport_rest/ws_port_forward.h"
#include "tests/unit/transport_rest/fake_link.h"

using namespace lotse::transport_rest;
using namespace lotse::transport_rest::testing;
using namespace std::string_literals;

namespace {

// A client's frame, masked.
std::string frame(int opcode, std::string_view payload, bool final = true) {
  std::string out;
  out += static_cast<char>((final ? 0x80 : 0) | opcode);
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  const char mask[4] = {1, 2, 3, 4};
  out.append(mask, 4);
  for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}
std::string binary(std::string_view payload) { return frame(2, payload); }
// A server's short frame.
std::string served(int opcode, std::string_view payload) {
  REQUIRE(payload.size() < 126);
  return std::string(1, static_cast<char>(0x80 | opcode)) + static_cast<char>(payload.size()) + std::string(payload);
}

struct Recorder : WsHandler {
  std::vector<std::string> messages;
  bool closed = false;
  void on_message(WsOpcode, std::string_view message) override { messages.emplace_back(message); }
  void on_close() override { closed = true; }
};

const std::string kExit3 = "\x81\xa9" "exit_code\x03";
const std::string kExit0 = "\x81\xa9" "exit_code\x00"s;

}  // namespace

TEST_CASE("the handshake answers the example of RFC 6455") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  HttpRequest request;
  request.method = "GET";
  request.add_header("Connection", "keep-alive, Upgrade");
  request.add_header("Upgrade", "WebSocket");
  CHECK(asks_for_websocket(request));
  CHECK(check_websocket(request));
  request.add_header("Sec-WebSocket-Version", "13");
  request.add_header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK_FALSE(check_websocket(request));
  request.add_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0LXRva2Vu");
  const auto offered = websocket_subprotocols(request);
  REQUIRE(offered);
  CHECK(offered->names == std::vector<std::string>{"v4.channel.k8s.io"});
  CHECK(offered->token == "secret-token");
  request.add_header("Sec-WebSocket-Protocol", "base64url.bearer.authorization.k8s.io.!");
  CHECK_FALSE(websocket_subprotocols(request));
}

TEST_CASE("frames are read however they are cut, and fragments joined") {
  const std::string large(70000, 'x');
  const std::string text = binary("a") + frame(2, "b", false) + frame(9, "ping") + frame(0, "c", false) + frame(0, "d") + binary("") + binary(large);
  for (size_t step : {1u, 5u, 1000000u}) {
    Recorder recorder;
    FakeLink link;
    WsSession session(recorder, link);
    for (size_t at = 0; at < text.size(); at += step) session.receive(std::string_view(text).substr(at, step));
    CHECK(recorder.messages == std::vector<std::string>{"a", "bcd", "", large});
    CHECK(link.sent == served(10, "ping"));
    CHECK_FALSE(recorder.closed);
  }
}

TEST_CASE("broken frames end the session with a reason") {
  const std::pair<std::string, int> rows[] = {
      {served(2, "unmasked"), 1002},        {frame(0, "no beginning"), 1002}, {frame(2, "a", false) + frame(2, "b"), 1002},
      {frame(9, std::string(126, 'x')), 1002}, {frame(9, "x", false), 1002},     {frame(3, ""), 1002},
      {"\xc2\x80\x01\x02\x03\x04"s, 1002},     {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"s, 1009}};
  for (const auto& [bytes, code] : rows) {
    Recorder recorder;
    FakeLink link;
    WsSession session(recorder, link);
    session.receive(bytes + binary("after"));
    CHECK(recorder.closed);
    CHECK(recorder.messages.empty());
    CHECK(link.finished);
    REQUIRE(link.sent.size() >= 4);
    CHECK(static_cast<uint8_t>(link.sent[0]) == 0x88);
    CHECK((static_cast<uint8_t>(link.sent[2]) << 8 | static_cast<uint8_t>(link.sent[3])) == code);
  }
}

TEST_CASE("a close is answered with its code") {
  Recorder recorder;
  FakeLink link;
  WsSession session(recorder, link);
  session.receive(frame(8, "\x03\xe9"));
  CHECK(link.sent == served(8, "\x03\xe9"));
  CHECK(recorder.closed);
  CHECK(link.finished);
}

TEST_CASE("exec over WebSocket: channels, close signal, exit status") {
  FakeStream host;
  FakeLink link;
  WsCommand command({true, true, true, false}, 5, host.opener());
  command.begin(link);
  CHECK(link.take() == served(2, "\x01"));
  CHECK(host.granted > 0);
  command.receive(binary("\x00hello"s));
  CHECK(host.input[0] == "hello");
  host.user->on_item(LOTSE_STDOUT, "out");
  host.user->on_item(LOTSE_STDERR, "err");
  CHECK(link.take() == served(2, "\x01out") + served(2, "\x02" "err"));
  CHECK_FALSE(host.closed[0]);
  command.receive(binary("\xff\x00"s));
  CHECK(host.closed[0]);
  host.user->on_end(LOTSE_OK, kExit3);
  CHECK(link.sent.find(R"("reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]})") != std::string::npos);
  CHECK(link.sent.ends_with(served(8, "\x03\xe8")));
  CHECK(link.finished);
}

TEST_CASE("with a terminal both outputs are one, and its size is passed on") {
  FakeStream host;
  FakeLink link;
  WsCommand command({true, true, false, true}, 4, host.opener());
  command.begin(link);
  link.take();
  command.receive(binary("\x04{\"Width\":120,\"Height\":40}\n"));
  CHECK(host.size == "120x40");
  command.receive(binary("\xff\x00"s));
  CHECK_FALSE(host.closed[0]);  // v4 has no close signal
  host.user->on_end(LOTSE_OK, kExit0);
  CHECK(link.sent.starts_with(served(2, "\x03{\"metadata\":{},\"status\":\"Success\"}")));
}

TEST_CASE("input waits for the host's credit and stops the socket when too much waits") {
  FakeStream host;
  host.credit = 0;
  FakeLink link;
  WsCommand command({true, true, true, false}, 5, host.opener());
  command.begin(link);
  const std::string piece(600000, 'x');
  command.receive(binary("\0"s + piece));
  CHECK(command.wants_input());
  command.receive(binary("\0"s + piece));
  CHECK_FALSE(command.wants_input());
  CHECK(host.input[0].empty());
  host.credit = 1 << 30;
  host.user->on_writable();
  CHECK(host.input[0].size() == 1200000);
  CHECK(command.wants_input());
  CHECK(link.resumed > 0);
}

TEST_CASE("a slow reader gets no more than its credit") {
  FakeStream host;
  FakeLink link;
  WsCommand command({false, true, true, false}, 5, host.opener());
  command.begin(link);
  const uint64_t first = host.granted;
  link.stuck = 200000;
  host.user->on_item(LOTSE_STDOUT, std::string(1000, 'x'));
  CHECK(host.granted == first);
  link.stuck = 0;
  command.drained();
  CHECK(host.granted == first + 1000);
}

TEST_CASE("the client's going cancels the command") {
  FakeStream host;
  FakeLink link;
  WsCommand command({false, true, true, false}, 5, host.opener());
  command.begin(link);
  command.receive(frame(8, ""));
  CHECK(host.gone);
}

TEST_CASE("port-forward over WebSocket channels") {
  FakeStream hosts[2];
  std::vector<uint16_t> opened;
  FakeLink link;
  WsPortForward forward({80, 0x1234}, [&](uint16_t port, StreamUser& user) {
    opened.push_back(port);
    return hosts[opened.size() - 1].open(user);
  });
  forward.begin(link);
  CHECK(opened == std::vector<uint16_t>{80, 0x1234});
  CHECK(link.take() == served(2, "\x00\x50\x00"s) + served(2, "\x01\x50\x00"s) + served(2, "\x02\x34\x12") + served(2, "\x03\x34\x12"));
  forward.receive(binary("\x02GET /"));
  CHECK(hosts[1].input[0] == "GET /");
  hosts[0].user->on_item(0, "200");
  CHECK(link.take() == served(2, "\x00" "200"s));
  hosts[0].user->on_end(LOTSE_UNAVAILABLE, "connection refused");
  CHECK(link.take() == served(2, "\x01" "connection refused"));
  CHECK_FALSE(link.finished);
  hosts[1].user->on_end(LOTSE_OK, "");
  CHECK(link.finished);
}

TEST_CASE("watch and logs as messages, chunks and bare bytes") {
  FakeStream host;
  FakeLink link;
  WsPush push(WsOpcode::kText, host.opener());
  push.begin(link);
  host.user->on_item(0, "{}");
  CHECK(link.take() == served(1, "{}"));
  host.user->on_end(LOTSE_OK, "");
  CHECK(link.finished);

  FakeStream chunks;
  FakeLink wire;
  int complete = -1;
  PushStream stream(wire, Framing::kChunks, true, [&](bool ok) { complete = ok; });
  stream.start(chunks.opener());
  chunks.user->on_item(0, "{\"type\":\"ADDED\"}");
  CHECK(wire.take() == "11\r\n{\"type\":\"ADDED\"}\n\r\n");
  chunks.user->on_end(LOTSE_OK, "");
  CHECK(wire.take() == "0\r\n\r\n");
  CHECK(complete == 1);

  FakeStream broken;
  PushStream lost(wire, Framing::kChunks, true, [&](bool ok) { complete = ok; });
  lost.start(broken.opener());
  broken.user->on_end(LOTSE_UNAVAILABLE, "gone");
  CHECK(wire.take().empty());  // no last chunk: the client sees that something is missing
  CHECK(complete == 0);
}

TEST_CASE("raw bytes run both ways, half-closed") {
  FakeStream host;
  FakeLink link;
  RawTunnel tunnel(host.opener());
  tunnel.begin(link);
  tunnel.receive("in");
  CHECK(host.input[0] == "in");
  tunnel.peer_finished();
  CHECK(host.closed[0]);
  host.user->on_item(0, "out");
  CHECK(link.sent == "out");
  host.user->on_end(LOTSE_OK, "");
  CHECK(link.finished);
}

TEST_CASE("how a command ended, by protocol version") {
  CHECK(exit_status(4, LOTSE_OK, kExit0) == R"({"metadata":{},"status":"Success"})");
  CHECK(exit_status(1, LOTSE_OK, kExit0).empty());
  CHECK(exit_status(1, LOTSE_OK, kExit3) == "command terminated with non-zero exit code: exit status 3");
  CHECK(exit_status(4, LOTSE_OK, kExit3) ==
        R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}})");
  CHECK(exit_status(5, LOTSE_NOT_FOUND, "no such \"file\"") ==
        R"({"metadata":{},"status":"Failure","message":"no such \"file\"","reason":"InternalError","details":{"causes":[{"message":"no such \"file\""}]},"code":500})");
  CHECK(exit_code_of("\xc1 rubbish") == 0);
  CHECK(channel_protocol_version("v5.channel.k8s.io") == 5);
  CHECK(channel_protocol_version("channel.k8s.io") == 1);
  CHECK_FALSE(channel_protocol_version("v6.channel.k8s.io"));
  CHECK_FALSE(channel_protocol_version("base64.channel.k8s.io"));
}

TEST_CASE("terminal sizes come whole, in pieces and several at once") {
  std::string text = "{\"Width\":80,";
  CHECK_FALSE(take_terminal_size(text));
  text += "\"Height\":24}\n{\"Width\":100,\"Height\":30}{\"Wid";
  const auto size = take_terminal_size(text);
  REQUIRE(size);
  CHECK(size->width == 100);
  CHECK(size->height == 30);
  text = "{\"Width\":70000,\"Height\":1}";
  CHECK_FALSE(take_terminal_size(text));
}
