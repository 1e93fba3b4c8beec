// A response that never quite ends: watch and logs. The items of the host's stream become chunks of a chunked body (or
// messages of a WebSocket, or bare bytes for HTTP/1.0), each sent as it comes.
#pragma once
#include <memory>
#include <optional>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {

enum class Framing { kChunks, kBare };

// How a stream's items stand in an HTTP body. The owner passes `drained` on and destroys it to cancel.
class PushStream : private StreamUser {
 public:
  // What happens at the end: with an error the body must be seen to be incomplete.
  using Ended = std::function<void(bool complete)>;
  PushStream(Link& link, Framing framing, bool lines, Ended ended) : link_(link), framing_(framing), lines_(lines), ended_(std::move(ended)) {}
  void start(const OpenStream& open);
  void drained();
  // Ends now, as if the host had ended it well.
  void stop();

 private:
  void on_item(uint32_t channel, std::string bytes) override;
  void on_writable() override {}
  void on_end(int32_t code, std::string payload) override;

  Link& link_;
  const Framing framing_;
  const bool lines_;  // a line end after each item
  Ended ended_;
  std::unique_ptr<ByteStream> stream_;
  uint64_t owed_ = 0;
};

// The same as messages: text for watches, binary for logs.
class WsPush : public Protocol, private WsHandler, private StreamUser {
 public:
  WsPush(WsOpcode kind, OpenStream open) : kind_(kind), open_(std::move(open)) {}
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override { return link_->backlog() < kHighWaterBytes; }
  void drained() override;
  void peer_finished() override { link_->abort(); }
  void expired(Wait) override { link_->abort(); }
  void wind_down(bool going) override {
    if (going) session_->close(1001, "the server is going");
  }

 private:
  void on_message(WsOpcode, std::string_view) override {}
  void on_close() override { stream_.reset(); }
  void on_item(uint32_t channel, std::string bytes) override;
  void on_writable() override {}
  void on_end(int32_t code, std::string payload) override;

  const WsOpcode kind_;
  OpenStream open_;
  Link* link_ = nullptr;
  std::optional<WsSession> session_;
  std::unique_ptr<ByteStream> stream_;
  uint64_t owed_ = 0;
};

// LOTSE_UPGRADE_RAW: bytes both ways, channel 0.
class RawTunnel : public Protocol, private StreamUser {
 public:
  explicit RawTunnel(OpenStream open);
  ~RawTunnel() override;
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override;
  void drained() override;
  void peer_finished() override;
  void expired(Wait) override { link_->abort(); }
  void wind_down(bool) override {}

 private:
  void on_item(uint32_t channel, std::string bytes) override;
  void on_writable() override;
  void on_end(int32_t code, std::string payload) override;

  OpenStream open_;
  Link* link_ = nullptr;
  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<class InputQueue> input_;
  uint64_t owed_ = 0;
};

}  // namespace lotse::transport_rest
