// The server's end of a WebSocket (RFC 6455): handshake and frames, without a socket. No extensions: what runs through it
// is short or compressed already.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/transport_rest/http_request.h"
#include "plugins/transport_rest/link.h"

namespace lotse::transport_rest {

// True if the request asks to switch to WebSocket.
bool asks_for_websocket(const HttpRequest& request);
// What is wrong with such a request; nothing if it can be granted.
std::optional<Refusal> check_websocket(const HttpRequest& request);
// The value of Sec-WebSocket-Accept.
std::string websocket_accept(std::string_view key);

// The subprotocols that a client offers, in its order. Browsers cannot set headers, so Kubernetes lets them put a bearer
// token among these ("base64url.bearer.authorization.k8s.io.<token>"): it is taken out and returned decoded.
struct Subprotocols {
  std::vector<std::string> names;
  std::string token;
};
std::optional<Subprotocols> websocket_subprotocols(const HttpRequest& request);

enum class WsOpcode : uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

class WsHandler {
 public:
  virtual ~WsHandler() = default;
  virtual void on_message(WsOpcode kind, std::string_view message) = 0;
  // The peer closed, or broke the protocol. The session has answered and ends the link.
  virtual void on_close() = 0;
};

class WsSession {
 public:
  static constexpr size_t kMessageBytesMax = 1024 * 1024;
  WsSession(WsHandler& handler, Link& link) : handler_(handler), link_(link) {}
  void receive(std::string_view bytes);
  void send(WsOpcode kind, std::string_view message);
  // A message with a channel's number before it.
  void send(uint8_t channel, std::string_view message);
  // Says goodbye and ends the link.
  void close(uint16_t code, std::string_view reason);
  bool closed() const { return closed_; }

 private:
  bool take_head();
  void take_payload(std::string_view bytes);
  void frame_done();
  void control();
  void fail(uint16_t code, std::string_view reason);
  void head(std::string& out, WsOpcode kind, size_t size);

  WsHandler& handler_;
  Link& link_;
  std::string head_;     // of the frame that is being read
  std::string message_;  // data frames so far
  std::string control_;
  WsOpcode opcode_ = WsOpcode::kText, message_kind_ = WsOpcode::kContinuation;
  uint8_t mask_[4] = {};
  uint64_t left_ = 0, position_ = 0;
  bool in_payload_ = false, final_ = false, in_message_ = false, closed_ = false;
};

}  // namespace lotse::transport_rest
