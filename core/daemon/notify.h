// sd_notify(3)'s protocol: tells the service manager how we are. Nothing happens without NOTIFY_SOCKET.
#pragma once
#include <string_view>

namespace lotse::daemon {

void notify(std::string_view state);  // "READY=1", "STOPPING=1", "STATUS=..."

}  // namespace lotse::daemon
