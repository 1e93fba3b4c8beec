// One accepted socket: the handshake, then bytes between the wire and whatever protocol is being spoken. Reading stops
// when the protocol wants no more, writing waits for the kernel, and what both wait for has a deadline.
#pragma once
#include <memory>
#include <string>

#include "plugins/transport_rest/asio.h"
#include "plugins/transport_rest/deadlines.h"
#include "plugins/transport_rest/door.h"
#include "plugins/transport_rest/link.h"
#include "plugins/transport_rest/wire.h"

namespace lotse::transport_rest {

class Loop;

class Connection : public Link, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Loop& loop, int fd, std::string address, std::shared_ptr<const TlsContext> context);
  ~Connection() override;
  void start();
  void expire(Wait what);
  void wind_down(bool going);
  bool is_older_than(uint32_t generation) const { return wire_.is_tls() && wire_.generation() < generation; }

  void send(std::string text) override;
  void send(Body body) override;
  void send(std::unique_ptr<Source> source) override;
  uint64_t backlog() const override { return output_.size(); }
  void resume() override { soon(kResume); }
  void wait(Wait what) override;
  void finish() override;
  void abort() override;
  void become(std::unique_ptr<Protocol> next) override { next_ = std::move(next); }

 private:
  enum class State { kHandshake, kOpen, kFlushing, kLingering, kClosed };
  enum Soon : unsigned { kFlush = 1, kResume = 2 };
  void soon(unsigned what);
  void turn(unsigned what);
  void work(unsigned what);
  void watch_read();
  void watch_write();
  void on_readable();
  void shake_hands();
  void take(std::string_view bytes);
  void offer_inbox();
  void change_protocol();
  bool wants_input() const;
  void flush();
  void sent_all();
  void discard(size_t bytes);
  void arm();

  Loop& loop_;
  boost::asio::posix::stream_descriptor socket_;
  Wire wire_;
  std::string address_;
  State state_ = State::kHandshake;
  std::unique_ptr<Protocol> protocol_, next_;
  Output output_;
  std::string inbox_;  // bytes that the protocol did not use up yet
  Deadlines::Entry deadline_;
  Wait waiting_ = Wait::kNothing;
  size_t discarded_ = 0;
  unsigned soon_ = 0;
  bool read_watched_ = false, write_watched_ = false, blocked_ = false, busy_ = false, peer_finished_ = false, going_ = false;
  bool rearm_ = false;  // the deadline is to be set anew
};

}  // namespace lotse::transport_rest
