#include "plugins/transport_rest/spdy_session.h"

#include <lotse/abi/types.h>

namespace lotse::transport_rest {
namespace {

enum Type : uint16_t { kSynStream = 1, kSynReply = 2, kRstStream = 3, kSettings = 4, kPing = 6, kGoaway = 7, kHeaders = 8, kWindowUpdate = 9 };
constexpr uint8_t kFlagFin = 1, kFlagUnidirectional = 2;
constexpr size_t kHeadBytes = 8, kControlBytesMax = 64 * 1024, kDataBytes = 16 * 1024;
constexpr uint32_t kSettingInitialWindow = 7;
constexpr int64_t kWindowMax = 0x7FFFFFFF;

uint32_t read32(std::string_view in, size_t at) {
  uint32_t value = 0;
  for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(in[i]);
  return value;
}

void put32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFF);
}

}  // namespace

void SpdySession::receive(std::string_view bytes) {
  while (!bytes.empty() && !broken_) {
    if (in_data_) {
      const std::string_view now = bytes.substr(0, data_left_);
      bytes.remove_prefix(now.size());
      data_left_ -= now.size();
      if (data_left_ == 0) in_data_ = false;
      data_bytes(data_id_, now, data_left_ == 0 && data_fin_);
      continue;
    }
    // Heads and control frames are small: gathered in one place, however they are cut.
    size_t want = kHeadBytes;
    if (partial_.size() >= kHeadBytes) want += read32(partial_, 4) & 0xFFFFFF;
    const std::string_view now = bytes.substr(0, want - partial_.size());
    partial_.append(now);
    bytes.remove_prefix(now.size());
    if (partial_.size() < kHeadBytes) return;
    const uint32_t first = read32(partial_, 0), second = read32(partial_, 4);
    const size_t length = second & 0xFFFFFF;
    const auto flags = static_cast<uint8_t>(second >> 24);
    if (!(first & 0x80000000)) {
      partial_.clear();
      data_id_ = first;
      data_left_ = length;
      data_fin_ = flags & kFlagFin;
      in_data_ = length > 0;
      if (first == 0) return fail();
      if (length == 0) data_bytes(data_id_, {}, data_fin_);
      continue;
    }
    if ((first >> 16 & 0x7FFF) != 3 || length > kControlBytesMax) return fail();
    if (partial_.size() < kHeadBytes + length) continue;
    const std::string whole = std::exchange(partial_, {});
    control(static_cast<uint16_t>(first & 0xFFFF), flags, std::string_view(whole).substr(kHeadBytes));
  }
}

void SpdySession::control(uint16_t type, uint8_t flags, std::string_view payload) {
  switch (type) {
    case kSynStream: return syn_stream(flags, payload);
    case kSynReply: return fail();  // we open no streams
    case kRstStream: {
      if (payload.size() != 8) return fail();
      const uint32_t id = read32(payload, 0) & 0x7FFFFFFF;
      const auto found = streams_.find(id);
      if (found == streams_.end()) return;
      for (const auto& piece : found->second.queue) queued_ -= piece.size();
      streams_.erase(found);
      return handler_.on_reset(id);
    }
    case kSettings: return settings(payload);
    case kPing:
      if (payload.size() != 4) return fail();
      if (read32(payload, 0) % 2 == 1) frame(kPing, 0, payload);  // even ones would be answers to ours
      return;
    case kGoaway: return handler_.on_goaway();
    case kHeaders: {
      if (payload.size() < 4) return fail();
      if (!inflater_.read(payload.substr(4))) return fail();  // decoded to keep the zlib stream whole, then unused
      if (const uint32_t id = read32(payload, 0) & 0x7FFFFFFF; (flags & kFlagFin) && id != 0) data_bytes(id, {}, true);
      return;
    }
    case kWindowUpdate: return window_update(payload);
    default: return;  // unknown control frames are to be ignored
  }
}

void SpdySession::syn_stream(uint8_t flags, std::string_view payload) {
  if (payload.size() < 10) return fail();
  const uint32_t id = read32(payload, 0) & 0x7FFFFFFF;
  const auto headers = inflater_.read(payload.substr(10));
  if (!headers || id % 2 == 0 || id <= last_id_) return fail();
  last_id_ = id;
  if (said_goaway_ || streams_.size() >= kStreamsMax) return reset(id, SpdyReset::kRefusedStream);
  Stream& stream = streams_[id];
  stream.send_window = initial_window_;
  stream.remote_done = flags & kFlagFin;
  stream.local_done = flags & kFlagUnidirectional;
  handler_.on_stream(id, *headers, stream.remote_done);
}

void SpdySession::settings(std::string_view payload) {
  if (payload.size() < 4 || payload.size() != 4 + size_t{8} * read32(payload, 0)) return fail();
  for (size_t at = 4; at < payload.size(); at += 8) {
    if ((read32(payload, at) & 0xFFFFFF) != kSettingInitialWindow) continue;
    const int64_t value = read32(payload, at + 4);
    if (value > kWindowMax) return fail();
    for (auto& [id, stream] : streams_) stream.send_window += value - initial_window_;
    initial_window_ = value;
    windows_ = true;
  }
  pump_all();
}

void SpdySession::window_update(std::string_view payload) {
  if (payload.size() != 8) return fail();
  const uint32_t id = read32(payload, 0) & 0x7FFFFFFF, delta = read32(payload, 4) & 0x7FFFFFFF;
  if (delta == 0) return fail();
  windows_ = true;
  if (id == 0) {
    session_window_ += delta;
    if (session_window_ > kWindowMax) return fail();
    return pump_all();
  }
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.send_window += delta;
  if (found->second.send_window > kWindowMax) {
    reset(id, SpdyReset::kFlowControlError);
    return handler_.on_reset(id);
  }
  pump(id, found->second);
  forget_if_done(id);
}

void SpdySession::data_bytes(uint32_t id, std::string_view bytes, bool fin) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.remote_done) {
    // Crossed a reset on its way, or is for no stream: the session's window is paid back all the same.
    drop_data(id, bytes.size());
    return;
  }
  if (fin) found->second.remote_done = true;
  handler_.on_data(id, bytes, fin);
  if (fin) forget_if_done(id);
}

void SpdySession::drop_data(uint32_t, size_t bytes) {
  session_unacknowledged_ += bytes;
  consumed(0, 0);
}

void SpdySession::consumed(uint32_t id, size_t bytes) {
  session_unacknowledged_ += bytes;
  if (session_unacknowledged_ >= kWindowBytes / 2) send_window_update(0, std::exchange(session_unacknowledged_, 0));
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.remote_done) return;
  found->second.unacknowledged += bytes;
  if (found->second.unacknowledged >= kWindowBytes / 2) send_window_update(id, std::exchange(found->second.unacknowledged, 0));
}

void SpdySession::reply(uint32_t id) {
  std::string payload;
  put32(payload, id);
  payload += deflater_.write({});
  frame(kSynReply, 0, payload);
}

void SpdySession::data(uint32_t id, std::string_view bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.local_done || found->second.fin_queued || bytes.empty()) return;
  found->second.queue.emplace_back(bytes);
  queued_ += bytes.size();
  pump(id, found->second);
}

void SpdySession::fin(uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.local_done) return;
  found->second.fin_queued = true;
  pump(id, found->second);
  forget_if_done(id);
}

void SpdySession::pump(uint32_t id, Stream& stream) {
  while (!stream.queue.empty()) {
    std::string& piece = stream.queue.front();
    size_t n = std::min(piece.size(), kDataBytes);
    if (windows_) {
      const int64_t window = std::min(stream.send_window, session_window_);
      if (window <= 0) return;
      n = std::min(n, static_cast<size_t>(window));
    }
    std::string head;
    put32(head, id);
    put32(head, static_cast<uint32_t>(n));
    head.append(piece, 0, n);
    link_.send(std::move(head));
    stream.send_window -= static_cast<int64_t>(n);
    session_window_ -= static_cast<int64_t>(n);
    queued_ -= n;
    if (n == piece.size()) stream.queue.pop_front();
    else piece.erase(0, n);
  }
  if (stream.fin_queued && !stream.local_done) {
    stream.local_done = true;
    std::string head;
    put32(head, id);
    put32(head, uint32_t{kFlagFin} << 24);
    link_.send(std::move(head));
  }
}

void SpdySession::pump_all() {
  for (auto at = streams_.begin(); at != streams_.end();) {
    const uint32_t id = at->first;
    pump(id, at->second);
    ++at;
    forget_if_done(id);
  }
}

void SpdySession::forget_if_done(uint32_t id) {
  const auto found = streams_.find(id);
  if (found != streams_.end() && found->second.local_done && found->second.remote_done) streams_.erase(found);
}

void SpdySession::reset(uint32_t id, SpdyReset why) {
  if (const auto found = streams_.find(id); found != streams_.end()) {
    for (const auto& piece : found->second.queue) queued_ -= piece.size();
    streams_.erase(found);
  }
  std::string payload;
  put32(payload, id);
  put32(payload, static_cast<uint32_t>(why));
  frame(kRstStream, 0, payload);
}

void SpdySession::goaway() {
  if (std::exchange(said_goaway_, true)) return;
  std::string payload;
  put32(payload, last_id_);
  put32(payload, broken_ ? 1 : 0);
  frame(kGoaway, 0, payload);
}

void SpdySession::fail() {
  if (std::exchange(broken_, true)) return;
  goaway();
  handler_.on_goaway();
}

void SpdySession::send_window_update(uint32_t id, size_t bytes) {
  std::string payload;
  put32(payload, id);
  put32(payload, static_cast<uint32_t>(bytes));
  frame(kWindowUpdate, 0, payload);
}

void SpdySession::frame(uint16_t type, uint8_t flags, std::string_view payload) {
  std::string out;
  out.reserve(kHeadBytes + payload.size());
  put32(out, 0x80030000u | type);
  put32(out, uint32_t{flags} << 24 | static_cast<uint32_t>(payload.size()));
  out.append(payload);
  link_.send(std::move(out));
}

}  // namespace lotse::transport_rest
