#include "plugins/transport_rest/push_stream.h"

#include <lotse/abi/stream.h>

#include "plugins/transport_rest/http_response.h"
#include "plugins/transport_rest/input_queue.h"

namespace lotse::transport_rest {
namespace {
constexpr uint64_t kCreditBytes = 256 * 1024;
}

void PushStream::start(const OpenStream& open) {
  stream_ = open(*this);
  stream_->grant(kCreditBytes);
}

void PushStream::on_item(uint32_t, std::string bytes) {
  owed_ += bytes.size();
  if (lines_) bytes += '\n';
  if (framing_ == Framing::kChunks) {
    std::string chunk;
    chunk.reserve(bytes.size() + 16);
    append_chunk(chunk, bytes);
    link_.send(std::move(chunk));
  } else {
    link_.send(std::move(bytes));
  }
  drained();
}

void PushStream::drained() {
  if (stream_ && owed_ > 0 && link_.backlog() < kLowWaterBytes) stream_->grant(std::exchange(owed_, 0));
}

void PushStream::stop() {
  stream_.reset();
  on_end(LOTSE_OK, {});
}

void PushStream::on_end(int32_t code, std::string) {
  const bool complete = code == LOTSE_OK;
  if (complete && framing_ == Framing::kChunks) link_.send(std::string(kLastChunk));
  ended_(complete);
}

void WsPush::begin(Link& link) {
  link_ = &link;
  session_.emplace(static_cast<WsHandler&>(*this), link);
  link.wait(Wait::kNothing);
  stream_ = open_(*this);
  stream_->grant(kCreditBytes);
}

size_t WsPush::receive(std::string_view bytes) {
  session_->receive(bytes);
  return bytes.size();
}

void WsPush::drained() {
  if (stream_ && owed_ > 0 && link_->backlog() < kLowWaterBytes) stream_->grant(std::exchange(owed_, 0));
}

void WsPush::on_item(uint32_t, std::string bytes) {
  owed_ += bytes.size();
  session_->send(kind_, bytes);
  drained();
}

void WsPush::on_end(int32_t code, std::string payload) { session_->close(code == LOTSE_OK ? 1000 : 1011, payload.size() < 100 && code != LOTSE_OK ? payload : ""); }

RawTunnel::RawTunnel(OpenStream open) : open_(std::move(open)), input_(std::make_unique<InputQueue>(0)) {}
RawTunnel::~RawTunnel() = default;

void RawTunnel::begin(Link& link) {
  link_ = &link;
  link.wait(Wait::kNothing);
  stream_ = open_(*this);
  stream_->grant(kCreditBytes);
}

size_t RawTunnel::receive(std::string_view bytes) {
  input_->push(bytes);
  on_writable();
  return bytes.size();
}

bool RawTunnel::wants_input() const { return input_->size() < kHighWaterBytes / 4; }

void RawTunnel::on_writable() {
  if (stream_ && input_->flush(*stream_) > 0) link_->resume();
}

void RawTunnel::drained() {
  if (stream_ && owed_ > 0 && link_->backlog() < kLowWaterBytes) stream_->grant(std::exchange(owed_, 0));
}

void RawTunnel::peer_finished() {
  input_->close();
  on_writable();
}

void RawTunnel::on_item(uint32_t, std::string bytes) {
  owed_ += bytes.size();
  link_->send(std::move(bytes));
  drained();
}

void RawTunnel::on_end(int32_t, std::string) { link_->finish(); }

}  // namespace lotse::transport_rest
