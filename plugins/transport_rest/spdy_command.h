// exec and attach over SPDY: the client opens one stream a channel, told apart by the header "streamtype" (error, stdin,
// stdout, stderr, resize); the command starts when all that its options promise have come, and the error stream carries
// how it ended.
#pragma once
#include <memory>
#include <optional>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/input_queue.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/spdy_session.h"

namespace lotse::transport_rest {

// Which channels the request's options ask for.
struct CommandChannels {
  bool in = false, out = false, err = false, tty = false;
};

class SpdyCommand : public Protocol, private SpdyHandler, private StreamUser {
 public:
  SpdyCommand(CommandChannels channels, int version, OpenStream open);
  void begin(Link& link) override;
  size_t receive(std::string_view bytes) override;
  bool wants_input() const override;
  void drained() override;
  void peer_finished() override;
  void expired(Wait) override;
  void wind_down(bool) override {}

 private:
  enum Slot { kError, kStdin, kStdout, kStderr, kResize, kSlots };
  void on_stream(uint32_t id, const Headers& headers, bool fin) override;
  void on_data(uint32_t id, std::string_view bytes, bool fin) override;
  void on_reset(uint32_t id) override;
  void on_goaway() override;
  void on_item(uint32_t channel, std::string bytes) override;
  void on_writable() override { pass_stdin(); }
  void on_end(int32_t code, std::string payload) override;
  bool expects(Slot slot) const;
  bool complete() const;
  void pass_stdin();
  void pass_size();
  void give_credit();
  void finish_when_sent();

  const CommandChannels channels_;
  const int version_;
  OpenStream open_;
  Link* link_ = nullptr;
  std::optional<SpdySession> session_;
  uint32_t ids_[kSlots] = {};
  std::unique_ptr<ByteStream> stream_;
  InputQueue stdin_;
  std::string sizes_;
  uint64_t owed_ = 0;  // credit to give back once it has been sent
  bool ended_ = false, finished_ = false;
};

}  // namespace lotse::transport_rest
