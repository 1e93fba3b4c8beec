// Structured logging: one line an event on standard error, with a stable id and key=value fields:
//   2026-01-02T03:04:05.678Z info  store.opened revision=42 path=/var/lib/lotse/state  the store is open
// A value is quoted where it has to be, and can never start a line of its own. Secrets are not passed to it.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace lotse::log {

enum class Level : int { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

struct Field {
  std::string_view key;
  std::string value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class T> Field(std::string_view k, const T& v) : key(k), value(fmt::to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

void set_level(Level level);
Level level();
// [any thread] `event` is "room.what": lower case, permanent, listed in the README.md of its room.
void write(Level level, std::string_view event, std::string_view message, const Field* fields, size_t count);
// The text of a line without its end, for tests.
std::string format_line(Level level, std::string_view event, std::string_view message, const Field* fields, size_t count);
// Tests and the support tools look on: gets every line that is written; nullptr ends it.
void set_observer(void (*observer)(std::string_view line));

inline void put(Level l, std::string_view event, std::string_view message, Fields fields) {
  if (l >= level()) write(l, event, message, fields.begin(), fields.size());
}
inline void debug(std::string_view event, std::string_view message, Fields f = {}) { put(Level::kDebug, event, message, f); }
inline void info(std::string_view event, std::string_view message, Fields f = {}) { put(Level::kInfo, event, message, f); }
inline void warn(std::string_view event, std::string_view message, Fields f = {}) { put(Level::kWarn, event, message, f); }
inline void error(std::string_view event, std::string_view message, Fields f = {}) { put(Level::kError, event, message, f); }

}  // namespace lotse::log
