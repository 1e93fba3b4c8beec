#include "plugins/container_engine/signal_name.h"

#include <signal.h>
#include <string.h>

#include <charconv>

namespace lotse::container_engine {

int signal_number(std::string_view name) {
  int number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number > 0 && number <= SIGRTMAX ? number : 0;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int i = 1; i < SIGRTMIN; i++) {
    const char* known = sigabbrev_np(i);
    if (known != nullptr && name == known) return i;
  }
  // Images count the real-time signals from both ends: RTMIN+3 is systemd's.
  for (auto [prefix, base, step] : {std::tuple{std::string_view("RTMIN+"), SIGRTMIN, 1}, {"RTMAX-", SIGRTMAX, -1}}) {
    if (name.starts_with(prefix)) {
      std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
      number = base + step * number;
      return number >= SIGRTMIN && number <= SIGRTMAX ? number : 0;
    }
  }
  return name == "RTMIN" ? SIGRTMIN : name == "RTMAX" ? SIGRTMAX : 0;
}

}  // namespace lotse::container_engine
