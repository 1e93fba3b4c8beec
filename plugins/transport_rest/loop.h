// One thread that serves connections: an io_context of its own, the connections that live on it, their deadlines and the
// buffers that they share. A connection stays on its loop.
#pragma once
#include <lotse/host.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <unordered_map>

#include "plugins/transport_rest/asio.h"
#include "plugins/transport_rest/deadlines.h"
#include "plugins/transport_rest/door.h"
#include "plugins/transport_rest/settings.h"
#include "plugins/transport_rest/wire.h"

namespace lotse::transport_rest {

class Connection;

class Loop : public Executor {
 public:
  // on_closed is called for each connection that was adopted and has ended, on the loop's thread.
  Loop(const sdk::Host& host, const Settings& settings, Outstanding& outstanding, std::function<void()> on_closed);
  ~Loop() override;
  void start();
  void stop();  // [any] ends the thread; whatever is still open is closed

  // Executor. What a task throws is logged.
  void post(std::function<void()> task) override;
  bool is_here() const override { return std::this_thread::get_id() == thread_.get_id(); }

  // [any] Takes over a connected, non-blocking socket.
  void adopt(int fd, std::string address, std::shared_ptr<const TlsContext> context);
  // [any] Certificates have changed: connections of older generations end within the bound.
  void rotate(uint32_t generation);
  // [any] The server goes: idle connections end now; with `force` all do.
  void drain(bool force);

  // The rest is for connections, on the thread.
  boost::asio::io_context& io() { return io_; }
  WireBuffers& buffers() { return buffers_; }
  const Settings& settings() const { return settings_; }
  Door door();
  void wait(Deadlines::Entry& entry, Wait what);
  void forget(Connection* connection);
  const sdk::Host& host() const { return host_; }

 private:
  void set_timer(Deadlines::Clock::time_point when);
  void set_age_timer();

  const sdk::Host host_;
  const Settings& settings_;
  Outstanding& outstanding_;
  const std::function<void()> on_closed_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  boost::asio::steady_timer timer_{io_}, age_timer_{io_};
  Deadlines deadlines_;
  WireBuffers buffers_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  uint32_t generation_ = 0, aging_generation_ = 0;  // aging: what the age timer will end
  bool age_timer_set_ = false;
  std::thread thread_;
};

}  // namespace lotse::transport_rest
