// What both ends of a session share: fetching frames from the Mux as fast as the socket takes them. Private to core/bus.
#pragma once
#include <functional>
#include <string>

#include "core/base/loop.h"
#include "core/bus/mux.h"
#include "core/bus/socket.h"

namespace lotse::bus {

// Sends what the Mux has, a bounded number of frames a turn, and keeps the frame that the socket refused.
class Sender {
 public:
  Sender(Loop& loop, Mux& mux, std::function<Socket::Sent(const std::string&)> send, std::function<void()> gone);
  void pump();  // [loop]

 private:
  void send_some();
  Loop& loop_;
  Mux& mux_;
  std::function<Socket::Sent(const std::string&)> send_;
  std::function<void()> gone_;
  std::string refused_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool posted_ = false;
};

bool valid_node_name(std::string_view name);
// "tcp://0.0.0.0:6442" -> "tcp://0.0.0.0:6441": where new workers knock.
std::string join_endpoint(const std::string& endpoint);

}  // namespace lotse::bus
