#include "plugins/transport_rest/spdy_port_forward.h"

#include <lotse/abi/stream.h>

#include <charconv>

namespace lotse::transport_rest {
namespace {

constexpr uint64_t kCreditBytes = 64 * 1024;  // a connection; there may be many

std::optional<uint16_t> port_of(const std::string* text) {
  uint16_t port = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), port);
  if (error != std::errc() || end != text->data() + text->size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

// One forwarded connection.
class SpdyPortForward::Pair : public StreamUser {
 public:
  Pair(SpdyPortForward& owner, std::string request, uint16_t port) : request(std::move(request)), port(port), owner_(owner) {}

  void open_if_complete() {
    if (stream_ || error_id == 0 || data_id == 0) return;
    stream_ = owner_.open_(port, *this);
    stream_->grant(kCreditBytes);
    pass();
  }
  void input(std::string_view bytes, bool fin) {
    input_.push(bytes);
    owner_.waiting_ += bytes.size();
    if (fin) input_.close();
    pass();
  }
  void give_credit() {
    if (stream_ && owed_ > 0) stream_->grant(std::exchange(owed_, 0));
  }
  void forget_input() {
    owner_.waiting_ -= input_.size();
    input_.drop();
  }

  const std::string request;
  const uint16_t port;
  uint32_t error_id = 0, data_id = 0;

 private:
  void pass() {
    if (!stream_) return;
    const size_t gone = input_.flush(*stream_);
    if (gone == 0) return;
    owner_.waiting_ -= gone;
    owner_.session_->consumed(data_id, gone);
    owner_.link_->resume();
  }
  void on_item(uint32_t channel, std::string bytes) override {
    owed_ += bytes.size();
    owner_.session_->data(channel == LOTSE_ERROR ? error_id : data_id, bytes);
    if (owner_.link_->backlog() + owner_.session_->queued() < kLowWaterBytes) give_credit();
  }
  void on_writable() override { pass(); }
  void on_end(int32_t code, std::string payload) override {
    if (code != LOTSE_OK && code != LOTSE_CANCELLED) {
      owner_.session_->data(error_id, payload.empty() ? std::string("the connection to the pod failed") : payload);
    }
    owner_.session_->fin(error_id);
    owner_.session_->fin(data_id);
    owner_.remove(*this);
  }

  SpdyPortForward& owner_;
  std::unique_ptr<ByteStream> stream_;
  InputQueue input_{LOTSE_STDIN};
  uint64_t owed_ = 0;
};

SpdyPortForward::SpdyPortForward(OpenPort open) : open_(std::move(open)) {}
SpdyPortForward::~SpdyPortForward() = default;

void SpdyPortForward::begin(Link& link) {
  link_ = &link;
  session_.emplace(static_cast<SpdyHandler&>(*this), link);
  link.wait(Wait::kNothing);
}

size_t SpdyPortForward::receive(std::string_view bytes) {
  session_->receive(bytes);
  return bytes.size();
}

bool SpdyPortForward::wants_input() const { return waiting_ < kHighWaterBytes && link_->backlog() < kHighWaterBytes; }

void SpdyPortForward::on_stream(uint32_t id, const Headers& headers, bool fin) {
  const std::string* type = find_header(headers, "streamtype");
  const auto port = port_of(find_header(headers, "port"));
  const bool is_error = type && *type == "error";
  if (!port || !type || (!is_error && *type != "data")) return session_->reset(id, SpdyReset::kProtocolError);
  const std::string* given = find_header(headers, "requestid");
  // Clients older than request ids open the error stream first and the data stream right after it.
  const std::string request = given ? *given : std::to_string(is_error ? id : id - 2);
  auto& pair = pairs_[request];
  if (!pair) pair = std::make_unique<Pair>(*this, request, *port);
  uint32_t& slot = is_error ? pair->error_id : pair->data_id;
  if (slot != 0 || pair->port != *port) return session_->reset(id, SpdyReset::kProtocolError);
  slot = id;
  by_stream_[id] = pair.get();
  session_->reply(id);
  if (fin && !is_error) pair->input({}, true);
  pair->open_if_complete();
}

void SpdyPortForward::on_data(uint32_t id, std::string_view bytes, bool fin) {
  const auto found = by_stream_.find(id);
  if (found == by_stream_.end() || found->second->error_id == id) return session_->consumed(id, bytes.size());
  found->second->input(bytes, fin);
}

void SpdyPortForward::on_reset(uint32_t id) {
  const auto found = by_stream_.find(id);
  if (found == by_stream_.end()) return;
  Pair& pair = *found->second;
  // The error stream may go early; without the data stream there is no connection.
  if (pair.error_id == id && pair.data_id != 0) return;
  if (pair.error_id != 0) session_->fin(pair.error_id);
  remove(pair);
  dying_.reset();
}

void SpdyPortForward::remove(Pair& pair) {
  pair.forget_input();
  by_stream_.erase(pair.error_id);
  by_stream_.erase(pair.data_id);
  const auto found = pairs_.find(pair.request);
  dying_ = std::move(found->second);
  pairs_.erase(found);
  link_->resume();
}

void SpdyPortForward::drained() {
  for (auto& [request, pair] : pairs_) pair->give_credit();
}

void SpdyPortForward::on_goaway() { link_->finish(); }
void SpdyPortForward::peer_finished() { link_->abort(); }
void SpdyPortForward::expired(Wait) { link_->abort(); }

}  // namespace lotse::transport_rest
