// sd_notify(3)'s protocol: tells the service manager how we are. Nothing happens without NOTIFY_SOCKET.
#pragma once
#include <string_view>

#include "core/base/loop.h"

namespace lotse::daemon {

void notify(std::string_view state);  // "READY=1", "STOPPING=1", "STATUS=..."

// Tells systemd's watchdog, twice in the time that WatchdogSec gives, that the loop still turns. Without WATCHDOG_USEC there is none.
// Belongs to the loop: made, kept and destroyed on it.
class Watchdog {
 public:
  explicit Watchdog(Loop& loop);

 private:
  void again();
  Loop& loop_;
  Duration every_{0};
  Handle timer_;
};

}  // namespace lotse::daemon
