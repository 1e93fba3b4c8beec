// exec and attach over WebSocket: the first byte of every binary message is the channel (0 stdin, 1 stdout, 2 stderr,
// 3 error, 4 resize). v5 adds a signal from the client: 255 followed by the channel that it has closed.
#pragma once
#include <memory>
#include <optional>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/input_queue.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/spdy_command.h"
#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {

class WsCommand : public Protocol, private WsHandler, private StreamUser {
 public:
  WsCommand(CommandChannels channels, int version, OpenStream open);
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override;
  void drained() override { give_credit(); }
  void peer_finished() override { link_->abort(); }
  void expired(Wait) override { link_->abort(); }
  void wind_down(bool) override {}

 private:
  void on_message(WsOpcode kind, std::string_view message) override;
  void on_close() override;
  void on_item(uint32_t channel, std::string bytes) override;
  void on_writable() override { pass_stdin(); }
  void on_end(int32_t code, std::string payload) override;
  void pass_stdin();
  void give_credit();

  const CommandChannels channels_;
  const int version_;
  OpenStream open_;
  Link* link_ = nullptr;
  std::optional<WsSession> session_;
  std::unique_ptr<ByteStream> stream_;
  InputQueue stdin_;
  std::string sizes_;
  uint64_t owed_ = 0;
};

}  // namespace lotse::transport_rest
