#include "plugins/transport_rest/spdy_command.h"

#include <lotse/abi/stream.h>

#include "plugins/transport_rest/exit_status.h"

namespace lotse::transport_rest {
namespace {
constexpr uint64_t kCreditBytes = 256 * 1024;
constexpr std::string_view kNames[] = {"error", "stdin", "stdout", "stderr", "resize"};
}  // namespace

SpdyCommand::SpdyCommand(CommandChannels channels, int version, OpenStream open)
    : channels_(channels), version_(version), open_(std::move(open)), stdin_(LOTSE_STDIN) {}

void SpdyCommand::begin(Link& link) {
  link_ = &link;
  session_.emplace(static_cast<SpdyHandler&>(*this), link);
  link.wait(Wait::kChannels);
}

size_t SpdyCommand::receive(std::string_view bytes) {
  if (!finished_) session_->receive(bytes);
  return bytes.size();
}

bool SpdyCommand::wants_input() const { return stdin_.size() < kHighWaterBytes && link_->backlog() < kHighWaterBytes; }

bool SpdyCommand::expects(Slot slot) const {
  switch (slot) {
    case kError: return true;
    case kStdin: return channels_.in;
    case kStdout: return channels_.out;
    case kStderr: return channels_.err && !channels_.tty;
    case kResize: return channels_.tty && version_ >= 3;
    default: return false;
  }
}

bool SpdyCommand::complete() const {
  for (int i = 0; i < kSlots; ++i) {
    if (expects(static_cast<Slot>(i)) && ids_[i] == 0) return false;
  }
  return true;
}

void SpdyCommand::on_stream(uint32_t id, const Headers& headers, bool fin) {
  const std::string* type = find_header(headers, "streamtype");
  int slot = 0;
  while (type && slot < kSlots && *type != kNames[slot]) ++slot;
  if (!type || slot == kSlots || ids_[slot] != 0 || ended_) return session_->reset(id, SpdyReset::kProtocolError);
  ids_[slot] = id;
  session_->reply(id);
  if (fin && slot == kStdin) stdin_.close();
  if (!expects(static_cast<Slot>(slot)) || stream_ || !complete()) return;
  link_->wait(Wait::kNothing);
  stream_ = open_(*this);
  stream_->grant(kCreditBytes);
  pass_size();
  pass_stdin();
}

void SpdyCommand::on_data(uint32_t id, std::string_view bytes, bool fin) {
  if (id == ids_[kStdin] && channels_.in) {
    stdin_.push(bytes);
    if (fin) stdin_.close();
    return pass_stdin();
  }
  session_->consumed(id, bytes.size());
  if (id != ids_[kResize]) return;
  sizes_.append(bytes);
  pass_size();
}

void SpdyCommand::pass_size() {
  if (!stream_) return;  // the first size comes before the last stream
  if (const auto size = take_terminal_size(sizes_)) stream_->resize(size->width, size->height);
}

void SpdyCommand::pass_stdin() {
  if (!stream_) return;
  const size_t gone = stdin_.flush(*stream_);
  if (gone == 0 || !session_) return;
  session_->consumed(ids_[kStdin], gone);
  link_->resume();
}

void SpdyCommand::on_reset(uint32_t id) {
  if (id == ids_[kStdin]) {
    stdin_.close();
    pass_stdin();
  }
}

void SpdyCommand::on_item(uint32_t channel, std::string bytes) {
  owed_ += bytes.size();
  const uint32_t id = channel == LOTSE_STDERR && !channels_.tty ? ids_[kStderr] : ids_[kStdout];
  if (id != 0) session_->data(id, bytes);
  give_credit();
}

void SpdyCommand::give_credit() {
  if (!stream_ || owed_ == 0 || link_->backlog() + session_->queued() >= kLowWaterBytes) return;
  stream_->grant(std::exchange(owed_, 0));
}

void SpdyCommand::drained() {
  give_credit();
  if (ended_) finish_when_sent();
}

void SpdyCommand::on_end(int32_t code, std::string payload) {
  ended_ = true;
  stdin_.drop();
  for (Slot slot : {kStdout, kStderr}) {
    if (ids_[slot] != 0) session_->fin(ids_[slot]);
  }
  if (const std::string text = exit_status(version_, code, payload); !text.empty()) session_->data(ids_[kError], text);
  session_->fin(ids_[kError]);
  link_->wait(Wait::kStall);
  finish_when_sent();
}

void SpdyCommand::finish_when_sent() {
  if (finished_ || session_->queued() > 0) return;
  finished_ = true;
  session_->goaway();
  link_->finish();
}

// The client is gone, or has nothing to say any more: without it a command makes no sense.
void SpdyCommand::on_goaway() {
  if (!ended_) link_->abort();
}
void SpdyCommand::peer_finished() { link_->abort(); }
void SpdyCommand::expired(Wait) { link_->abort(); }

}  // namespace lotse::transport_rest
