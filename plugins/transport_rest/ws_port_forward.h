// port-forward over WebSocket channels: for the n-th port that the request's options name, channel 2n carries data and
// channel 2n+1 complaints. The first message of the server on each is the port, two bytes, little-endian. Each port is
// one connection, made at once.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {

class WsPortForward : public Protocol, private WsHandler {
 public:
  static constexpr size_t kPortsMax = 64;
  WsPortForward(std::vector<uint16_t> ports, OpenPort open);
  ~WsPortForward() override;
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override;
  void drained() override;
  void peer_finished() override { link_->abort(); }
  void expired(Wait) override { link_->abort(); }
  void wind_down(bool) override {}

 private:
  class Connection;
  void on_message(WsOpcode kind, std::string_view message) override;
  void on_close() override;
  void one_ended();

  const std::vector<uint16_t> ports_;
  OpenPort open_;
  Link* link_ = nullptr;
  std::optional<WsSession> session_;
  std::vector<std::unique_ptr<Connection>> connections_;
  size_t running_ = 0, waiting_ = 0;
};

}  // namespace lotse::transport_rest
