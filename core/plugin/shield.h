// A plugin must not let an exception out. One that does so all the same gets a sentence instead of taking the daemon
// with it: every call of ours into a plugin goes through here, but for the hot ones of state and scheduler.
#pragma once
#include <fmt/format.h>

#include <exception>
#include <string>

#include "core/base/log.h"

namespace lotse::plugin {

// "" or what came out.
template <class Fn>
std::string shielded(const char* where, const Fn& fn) {
  try {
    fn();
    return "";
  } catch (const std::exception& error) {
    return fmt::format("an exception came out of its function {}: {}", where, error.what());
  } catch (...) {
    return fmt::format("an exception of an unknown kind came out of its function {}", where);
  }
}

// For functions that give no answer: the complaint goes to the log.
template <class Fn>
void shielded_quietly(const char* where, const Fn& fn) {
  if (std::string why = shielded(where, fn); !why.empty()) log::error("plugin.exception", why);
}

}  // namespace lotse::plugin
