// Signals by name: "SIGTERM", "TERM" or "15".
#pragma once
#include <string_view>

namespace lotse::container_engine {

int signal_number(std::string_view name);  // 0: no such signal

}  // namespace lotse::container_engine
