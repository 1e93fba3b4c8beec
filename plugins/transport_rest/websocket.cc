#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {
namespace {

constexpr size_t kControlBytesMax = 125;
bool is_control(WsOpcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

}  // namespace

void WsSession::receive(std::string_view bytes) {
  while (!bytes.empty() && !closed_) {
    if (in_payload_) {
      const std::string_view now = bytes.substr(0, left_);
      bytes.remove_prefix(now.size());
      take_payload(now);
      if (left_ == 0) frame_done();
      continue;
    }
    head_ += bytes[0];
    bytes.remove_prefix(1);
    if (!take_head()) continue;
    head_.clear();
    if (left_ == 0) frame_done();
  }
}

// True once the frame's head is complete.
bool WsSession::take_head() {
  const auto byte = [this](size_t i) { return static_cast<uint8_t>(head_[i]); };
  if (head_.size() < 2) return false;
  const uint8_t short_size = byte(1) & 0x7F;
  const size_t size_bytes = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
  if (head_.size() < 2 + size_bytes + 4) {
    if (head_.size() == 2 && !(byte(1) & 0x80)) fail(1002, "frames of a client must be masked");
    if (head_.size() == 2 && (byte(0) & 0x70)) fail(1002, "no extension was agreed on");
    return false;
  }
  left_ = size_bytes == 0 ? short_size : 0;
  for (size_t i = 0; i < size_bytes; ++i) left_ = left_ << 8 | byte(2 + i);
  for (size_t i = 0; i < 4; ++i) mask_[i] = byte(2 + size_bytes + i);
  position_ = 0;
  final_ = byte(0) & 0x80;
  opcode_ = static_cast<WsOpcode>(byte(0) & 0x0F);
  in_payload_ = true;
  const bool continues = opcode_ == WsOpcode::kContinuation;
  const bool known = continues || opcode_ == WsOpcode::kText || opcode_ == WsOpcode::kBinary || opcode_ == WsOpcode::kClose ||
                     opcode_ == WsOpcode::kPing || opcode_ == WsOpcode::kPong;
  if (!known) fail(1002, "unknown opcode");
  else if (is_control(opcode_) && (!final_ || left_ > kControlBytesMax)) fail(1002, "malformed control frame");
  else if (!is_control(opcode_) && continues != in_message_) fail(1002, "fragments out of order");
  else if (!is_control(opcode_) && (left_ > kMessageBytesMax || message_.size() + left_ > kMessageBytesMax)) fail(1009, "message too large");
  if (!continues && !is_control(opcode_)) message_kind_ = opcode_;
  if (closed_) left_ = 0;
  return !closed_;
}

void WsSession::take_payload(std::string_view bytes) {
  std::string& to = is_control(opcode_) ? control_ : message_;
  for (char c : bytes) to += static_cast<char>(static_cast<uint8_t>(c) ^ mask_[position_++ % 4]);
  left_ -= bytes.size();
}

void WsSession::frame_done() {
  in_payload_ = false;
  if (is_control(opcode_)) return control();
  in_message_ = !final_;
  if (!final_) return;
  const std::string message = std::exchange(message_, {});
  handler_.on_message(message_kind_, message);
}

void WsSession::control() {
  const std::string payload = std::exchange(control_, {});
  if (opcode_ == WsOpcode::kPing) return send(WsOpcode::kPong, payload);
  if (opcode_ == WsOpcode::kPong) return;
  // A close is answered with its own code.
  uint16_t code = 1000;
  if (payload.size() >= 2) code = static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]));
  fail(code, {});
}

void WsSession::fail(uint16_t code, std::string_view reason) {
  if (closed_) return;
  close(code, reason);
  handler_.on_close();
}

void WsSession::head(std::string& out, WsOpcode kind, size_t size) {
  out += static_cast<char>(0x80 | static_cast<uint8_t>(kind));
  if (size < 126) {
    out += static_cast<char>(size);
  } else if (size <= 0xFFFF) {
    out += static_cast<char>(126);
    out += static_cast<char>(size >> 8);
    out += static_cast<char>(size & 0xFF);
  } else {
    out += static_cast<char>(127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<uint64_t>(size) >> shift & 0xFF);
  }
}

void WsSession::send(WsOpcode kind, std::string_view message) {
  if (closed_) return;
  std::string out;
  out.reserve(message.size() + 10);
  head(out, kind, message.size());
  link_.send(std::move(out.append(message)));
}

void WsSession::send(uint8_t channel, std::string_view message) {
  if (closed_) return;
  std::string out;
  out.reserve(message.size() + 11);
  head(out, WsOpcode::kBinary, message.size() + 1);
  out += static_cast<char>(channel);
  link_.send(std::move(out.append(message)));
}

void WsSession::close(uint16_t code, std::string_view reason) {
  if (closed_) return;
  std::string payload;
  payload += static_cast<char>(code >> 8);
  payload += static_cast<char>(code & 0xFF);
  payload.append(reason.substr(0, kControlBytesMax - 2));
  send(WsOpcode::kClose, payload);
  closed_ = true;
  link_.finish();
}

}  // namespace lotse::transport_rest
