#include "plugins/transport_rest/ws_port_forward.h"

#include <lotse/abi/stream.h>

#include "plugins/transport_rest/input_queue.h"

namespace lotse::transport_rest {
namespace {
constexpr uint64_t kCreditBytes = 64 * 1024;
}

class WsPortForward::Connection : public StreamUser {
 public:
  Connection(WsPortForward& owner, size_t index) : owner_(owner), index_(index) {}
  void start() {
    const uint16_t port = owner_.ports_[index_];
    const char bytes[2] = {static_cast<char>(port & 0xFF), static_cast<char>(port >> 8)};
    owner_.session_->send(data_channel(), {bytes, 2});
    owner_.session_->send(error_channel(), {bytes, 2});
    stream_ = owner_.open_(port, *this);
    stream_->grant(kCreditBytes);
  }
  void input(std::string_view bytes) {
    owner_.waiting_ += bytes.size();
    input_.push(bytes);
    pass();
  }
  void give_credit() {
    if (owed_ > 0) stream_->grant(std::exchange(owed_, 0));
  }
  void stop() { stream_.reset(); }

 private:
  uint8_t data_channel() const { return static_cast<uint8_t>(2 * index_); }
  uint8_t error_channel() const { return static_cast<uint8_t>(2 * index_ + 1); }
  void pass() {
    if (!stream_) return;
    const size_t gone = input_.flush(*stream_);
    owner_.waiting_ -= gone;
    if (gone > 0) owner_.link_->resume();
  }
  void on_item(uint32_t channel, std::string bytes) override {
    owed_ += bytes.size();
    owner_.session_->send(channel == LOTSE_ERROR ? error_channel() : data_channel(), bytes);
    if (owner_.link_->backlog() < kLowWaterBytes) give_credit();
  }
  void on_writable() override { pass(); }
  void on_end(int32_t code, std::string payload) override {
    if (code != LOTSE_OK && code != LOTSE_CANCELLED) {
      owner_.session_->send(error_channel(), payload.empty() ? std::string("the connection to the pod failed") : payload);
    }
    owner_.waiting_ -= input_.size();
    input_.drop();
    owner_.one_ended();
  }

  WsPortForward& owner_;
  const size_t index_;
  std::unique_ptr<ByteStream> stream_;
  InputQueue input_{LOTSE_STDIN};
  uint64_t owed_ = 0;
};

WsPortForward::WsPortForward(std::vector<uint16_t> ports, OpenPort open) : ports_(std::move(ports)), open_(std::move(open)) {}
WsPortForward::~WsPortForward() = default;

void WsPortForward::begin(Link& link) {
  link_ = &link;
  session_.emplace(static_cast<WsHandler&>(*this), link);
  link.wait(Wait::kNothing);
  running_ = ports_.size();
  for (size_t i = 0; i < ports_.size(); ++i) connections_.push_back(std::make_unique<Connection>(*this, i));
  for (auto& connection : connections_) connection->start();
}

size_t WsPortForward::receive(std::string_view bytes) {
  session_->receive(bytes);
  return bytes.size();
}

bool WsPortForward::wants_input() const { return waiting_ < kHighWaterBytes && link_->backlog() < kHighWaterBytes; }

void WsPortForward::on_message(WsOpcode, std::string_view message) {
  if (message.empty()) return;
  const auto channel = static_cast<uint8_t>(message[0]);
  message.remove_prefix(1);
  if (channel % 2 == 0 && channel / 2u < connections_.size()) connections_[channel / 2u]->input(message);
}

void WsPortForward::drained() {
  for (auto& connection : connections_) connection->give_credit();
}

void WsPortForward::one_ended() {
  if (--running_ == 0) session_->close(1000, {});
}

void WsPortForward::on_close() {
  for (auto& connection : connections_) connection->stop();
}

}  // namespace lotse::transport_rest
