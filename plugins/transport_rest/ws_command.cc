#include "plugins/transport_rest/ws_command.h"

#include <lotse/abi/stream.h>

#include "plugins/transport_rest/exit_status.h"

namespace lotse::transport_rest {
namespace {
constexpr uint64_t kCreditBytes = 256 * 1024;
enum Channel : uint8_t { kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4, kClose = 255 };
}  // namespace

WsCommand::WsCommand(CommandChannels channels, int version, OpenStream open)
    : channels_(channels), version_(version), open_(std::move(open)), stdin_(LOTSE_STDIN) {}

void WsCommand::begin(Link& link) {
  link_ = &link;
  session_.emplace(static_cast<WsHandler&>(*this), link);
  link.wait(Wait::kNothing);
  // An empty message on the lowest channel that will be written to: some clients wait for it before they speak.
  session_->send(channels_.out ? kStdout : channels_.err ? kStderr : kError, {});
  stream_ = open_(*this);
  stream_->grant(kCreditBytes);
}

size_t WsCommand::receive(std::string_view bytes) {
  session_->receive(bytes);
  return bytes.size();
}

bool WsCommand::wants_input() const { return stdin_.size() < kHighWaterBytes && link_->backlog() < kHighWaterBytes; }

void WsCommand::on_message(WsOpcode, std::string_view message) {
  if (message.empty() || !stream_) return;
  const auto channel = static_cast<uint8_t>(message[0]);
  message.remove_prefix(1);
  if (channel == kStdin && channels_.in) {
    stdin_.push(message);
    pass_stdin();
  } else if (channel == kResize && channels_.tty) {
    sizes_.assign(message);
    if (const auto size = take_terminal_size(sizes_)) stream_->resize(size->width, size->height);
  } else if (channel == kClose && version_ >= 5 && message.size() == 1 && static_cast<uint8_t>(message[0]) == kStdin) {
    stdin_.close();
    pass_stdin();
  }
}

void WsCommand::pass_stdin() {
  if (stream_ && stdin_.flush(*stream_) > 0) link_->resume();
}

void WsCommand::on_close() { stream_.reset(); }

void WsCommand::on_item(uint32_t channel, std::string bytes) {
  owed_ += bytes.size();
  session_->send(channel == LOTSE_STDERR && !channels_.tty ? kStderr : kStdout, bytes);
  give_credit();
}

void WsCommand::give_credit() {
  if (stream_ && owed_ > 0 && link_->backlog() < kLowWaterBytes) stream_->grant(std::exchange(owed_, 0));
}

void WsCommand::on_end(int32_t code, std::string payload) {
  stdin_.drop();
  if (const std::string text = exit_status(version_, code, payload); !text.empty()) session_->send(kError, text);
  session_->close(1000, {});
}

}  // namespace lotse::transport_rest
