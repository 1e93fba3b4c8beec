#include "plugins/transport_rest/connection.h"

#include "plugins/transport_rest/http_protocol.h"
#include "plugins/transport_rest/loop.h"

namespace lotse::transport_rest {
namespace {

constexpr size_t kInboxBytesMax = 128 * 1024;   // above: the protocol must use some of it first
constexpr size_t kWriteBudget = 1024 * 1024;    // then others get their turn
constexpr int kReadRounds = 8;
constexpr size_t kDiscardBytesMax = 1024 * 1024;  // of what a client still sends after it was refused

}  // namespace

Connection::Connection(Loop& loop, int fd, std::string address, std::shared_ptr<const TlsContext> context)
    : loop_(loop), socket_(loop.io()), wire_(fd, std::move(context), loop.buffers()), address_(std::move(address)) {
  deadline_.owner = this;
  socket_.assign(fd);
}

Connection::~Connection() = default;

void Connection::start() {
  if (wire_.is_tls()) {
    wait(Wait::kHandshake);
    return turn(kResume);
  }
  state_ = State::kOpen;
  protocol_ = std::make_unique<HttpProtocol>(loop_.door(), loop_.settings().limits, Peer{address_, {}});
  protocol_->begin(*this);
  turn(kResume);
}

// All work happens in a turn: what calls from within (send, resume) is done at its end, so nothing is re-entered.
void Connection::turn(unsigned what) {
  const auto self = shared_from_this();
  try {
    work(what);
  } catch (...) {  // out of memory, most likely: this connection is lost, the others are not
    busy_ = false;
    abort();
    throw;
  }
}

void Connection::work(unsigned what) {
  busy_ = true;
  if ((what & kResume) && state_ != State::kClosed) {
    offer_inbox();
    on_readable();
  }
  for (int rounds = 0; state_ != State::kClosed; ++rounds) {
    flush();
    change_protocol();
    if (!(soon_ & kResume) || rounds == kReadRounds) break;
    soon_ &= ~kResume;
    offer_inbox();
    if (!read_watched_) on_readable();
  }
  busy_ = false;
  const unsigned left = std::exchange(soon_, 0u) & kResume;
  if (state_ == State::kClosed) return;
  if (left) soon(left);
  watch_read();
  arm();
}

void Connection::soon(unsigned what) {
  if (state_ == State::kClosed) return;
  const unsigned before = std::exchange(soon_, soon_ | what);
  if (busy_ || before) return;
  loop_.post([self = shared_from_this()] {
    if (self->busy_) return;
    const unsigned what_now = std::exchange(self->soon_, 0u);
    if (self->state_ != State::kClosed) self->turn(what_now);
  });
}

void Connection::watch_read() {
  if (read_watched_ || state_ == State::kClosed || peer_finished_ || !wants_input()) return;
  read_watched_ = true;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    self->read_watched_ = false;
    if (!error && self->state_ != State::kClosed) self->turn(kResume);
  });
}

void Connection::watch_write() {
  if (write_watched_ || state_ == State::kClosed) return;
  write_watched_ = true;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    self->write_watched_ = false;
    if (error || self->state_ == State::kClosed) return;
    self->blocked_ = false;
    self->turn(self->state_ == State::kHandshake ? kResume : kFlush);
  });
}

bool Connection::wants_input() const {
  switch (state_) {
    case State::kOpen: return inbox_.size() < kInboxBytesMax && protocol_->wants_input();
    case State::kFlushing: return false;
    default: return true;
  }
}

void Connection::on_readable() {
  if (state_ == State::kHandshake) return shake_hands();
  for (int round = 0; round < kReadRounds && !peer_finished_ && wants_input() && state_ != State::kClosed; ++round) {
    size_t size = 0;
    const Wire::Result result = wire_.read(&size);
    if (result == Wire::Result::kBlockedRead || result == Wire::Result::kBlocked) return;
    if (result == Wire::Result::kError) return abort();
    if (result == Wire::Result::kEnd) {
      peer_finished_ = true;
      if (state_ == State::kLingering) return abort();
      if (state_ == State::kOpen) protocol_->peer_finished();
      return;
    }
    if (state_ == State::kLingering) discard(size);
    else take(std::string_view(loop_.buffers().read).substr(0, size));
    if (state_ != State::kClosed && !wire_.may_hold_more(size)) return;  // spares a call that would say "nothing there"
  }
  if (state_ != State::kClosed && wants_input()) soon_ |= kResume;  // OpenSSL may hold more, unseen by the kernel
}

void Connection::shake_hands() {
  switch (wire_.handshake()) {
    case Wire::Result::kDone: break;
    case Wire::Result::kBlockedRead:
      if (wire_.has_unsent()) watch_write();
      return;
    case Wire::Result::kBlocked: return watch_write();
    default: return abort();
  }
  state_ = State::kOpen;
  protocol_ = std::make_unique<HttpProtocol>(loop_.door(), loop_.settings().limits, Peer{address_, peer_chain(wire_.ssl())});
  protocol_->begin(*this);
  on_readable();
}

void Connection::take(std::string_view bytes) {
  if (!inbox_.empty()) {
    inbox_.append(bytes);
    return offer_inbox();
  }
  bytes.remove_prefix(protocol_->receive(bytes));
  inbox_.assign(bytes);
  change_protocol();
}

void Connection::offer_inbox() {
  while (!inbox_.empty() && state_ == State::kOpen && !next_) {
    const size_t used = protocol_->receive(inbox_);
    if (used == inbox_.size()) std::string().swap(inbox_);
    else inbox_.erase(0, used);
    if (used == 0) break;
  }
  change_protocol();
}

void Connection::change_protocol() {
  if (!next_ || state_ != State::kOpen) return;
  protocol_ = std::move(next_);
  protocol_->begin(*this);
  soon_ |= kResume;
}

void Connection::send(std::string text) {
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  output_.add(std::move(text));
  soon(kFlush);
}

void Connection::send(Body body) {
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  output_.add(std::move(body));
  soon(kFlush);
}

void Connection::send(std::unique_ptr<Source> source) {
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  output_.add(std::move(source));
  soon(kFlush);
}

void Connection::flush() {
  while (!blocked_ && state_ != State::kClosed && state_ != State::kHandshake && (!output_.empty() || wire_.has_unsent())) {
    const Wire::Result result = wire_.write(output_, kWriteBudget);
    if (result == Wire::Result::kError || result == Wire::Result::kEnd) return abort();
    if (result == Wire::Result::kBlocked || wire_.has_unsent()) {
      loop_.wait(deadline_, Wait::kStall);
      rearm_ = blocked_ = true;
      watch_write();
    } else if (!output_.empty()) {
      watch_write();  // the budget is used up: go on when it is our turn again
      blocked_ = true;
    }
    if (output_.size() < kLowWaterBytes && state_ == State::kOpen && !next_) protocol_->drained();
  }
  if (state_ == State::kFlushing && output_.empty() && !wire_.has_unsent()) sent_all();
}

void Connection::finish() {
  if (state_ != State::kOpen) return;
  state_ = State::kFlushing;
  std::string().swap(inbox_);
  soon(kFlush);
}

// The last byte is out. Closing now, with bytes of the client unread, could make its kernel throw our answer away.
void Connection::sent_all() {
  wire_.shutdown();
  if (peer_finished_) return abort();
  state_ = State::kLingering;
  loop_.wait(deadline_, going_ ? Wait::kLeave : Wait::kLinger);
}

void Connection::discard(size_t bytes) {
  discarded_ += bytes;
  if (discarded_ > kDiscardBytesMax) abort();
}

void Connection::abort() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  loop_.wait(deadline_, Wait::kNothing);
  boost::system::error_code ignored;
  socket_.close(ignored);
  output_.clear();
  // The protocol may be what calls: it goes when it has returned.
  loop_.post([self = shared_from_this()] {
    self->protocol_.reset();
    self->next_.reset();
  });
  loop_.forget(this);
}

void Connection::wait(Wait what) {
  waiting_ = what;
  rearm_ = true;
  if (!busy_) arm();
}

// While the client takes nothing of what is sent, that has a deadline (set by flush), and what it should send has none.
void Connection::arm() {
  if (!rearm_ || blocked_ || (state_ != State::kOpen && state_ != State::kHandshake)) return;
  rearm_ = false;
  loop_.wait(deadline_, waiting_);
}

void Connection::expire(Wait what) {
  const auto self = shared_from_this();
  if (what == Wait::kHandshake || what == Wait::kStall || what == Wait::kLinger || state_ != State::kOpen) return abort();
  busy_ = true;
  waiting_ = Wait::kNothing;
  protocol_->expired(what);
  busy_ = false;
  if (state_ != State::kClosed) turn(kFlush);
}

// When all of us goes, who does not close his side is not waited for as long.
void Connection::wind_down(bool going) {
  going_ = going_ || going;
  if (state_ == State::kLingering && going) return loop_.wait(deadline_, Wait::kLeave);
  if (state_ == State::kHandshake && going) return abort();
  if (state_ == State::kOpen) protocol_->wind_down(going);
}

}  // namespace lotse::transport_rest
