#include "core/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/base/clock.h"

namespace lotse::log {
namespace {

// A write of at most PIPE_BUF bytes is whole or not at all, so lines of many threads need no lock to stay apart.
constexpr size_t kLineMax = 4000;

std::atomic<int> lowest{int(Level::kInfo)};
std::atomic<void (*)(std::string_view)> observer{nullptr};

std::string_view level_text(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info ";
    case Level::kWarn:
      return "warn ";
    case Level::kError:
      return "error";
  }
  return "error";
}

void append_escaped(std::string* out, std::string_view text, bool quoted) {
  for (char c : text) {
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (uint8_t(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(*out), "\\x{:02x}", unsigned(uint8_t(c)));
    } else {
      if (quoted && (c == '"' || c == '\\')) *out += '\\';
      *out += c;
    }
  }
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (char c : value) {
    if (uint8_t(c) <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void cut(std::string* line) {
  if (line->size() <= kLineMax) return;
  size_t end = kLineMax - 3;
  while (end > 0 && (uint8_t((*line)[end]) & 0xc0) == 0x80) end--;  // not within a character
  line->resize(end);
  *line += "...";
}

}  // namespace

void set_level(Level level) {
  lowest.store(int(level), std::memory_order_relaxed);
}
Level level() {
  return Level(lowest.load(std::memory_order_relaxed));
}
void set_observer(void (*fn)(std::string_view)) {
  observer.store(fn);
}

std::string format_line(Level level, std::string_view event, std::string_view message, const Field* fields,
                        size_t count) {
  WallTime now = Clock::system().now();
  std::string micro = format_micro_time(now);
  std::string line = fmt::format("{}Z {} {}", std::string_view(micro).substr(0, 23), level_text(level), event);
  for (size_t i = 0; i < count; i++) {
    line += ' ';
    line += fields[i].key;
    line += '=';
    bool quoted = needs_quotes(fields[i].value);
    if (quoted) line += '"';
    append_escaped(&line, fields[i].value, quoted);
    if (quoted) line += '"';
  }
  line += "  ";
  append_escaped(&line, message, false);
  cut(&line);
  return line;
}

void write(Level level, std::string_view event, std::string_view message, const Field* fields, size_t count) {
  std::string line = format_line(level, event, message, fields, count);
  if (auto* look = observer.load()) look(line);
  line += '\n';
  // A log that nobody reads must not stop the daemon: what cannot be written now is lost.
  ssize_t written;
  do {
    written = ::write(STDERR_FILENO, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
}

}  // namespace lotse::log
