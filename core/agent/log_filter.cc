#include "core/agent/log_stream.h"

#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"

namespace lotse::agent {
namespace {
constexpr size_t kLineMax = 256 * 1024;  // far above what runtimes write as one line
}

void LogFilter::line(std::string_view text, std::string* out) {
  LogLine l;
  if (!parse_log_line(text, &l)) return;
  if (!new_enough_ && options_.since != WallTime{}) {
    auto t = parse_time(l.time);
    if (t.ok() && *t < options_.since) return;
  }
  new_enough_ = true;
  std::string piece;
  if (options_.timestamps && at_line_start_) piece = std::string(l.time) + " ";
  piece += l.text;
  if (!l.partial) piece += '\n';
  at_line_start_ = !l.partial;
  if (options_.limit_bytes > 0)
    piece.resize(std::min<size_t>(piece.size(), static_cast<size_t>(options_.limit_bytes - written_)));
  written_ += static_cast<int64_t>(piece.size());
  *out += piece;
}

void LogFilter::add(std::string_view raw, std::string* out) {
  while (!raw.empty() && !full()) {
    auto end = raw.find('\n');
    if (end == std::string_view::npos) {
      if (rest_.size() + raw.size() <= kLineMax) rest_.append(raw);
      else rest_.clear();
      return;
    }
    if (rest_.empty()) {
      line(raw.substr(0, end), out);
    } else {
      rest_.append(raw.substr(0, end));
      line(rest_, out);
      rest_.clear();
    }
    raw.remove_prefix(end + 1);
  }
}

Result<int64_t> tail_offset(int fd, int64_t size, int64_t lines, int64_t* missing) {
  constexpr int64_t kBlock = 64 * 1024;
  std::string block(kBlock, '\0');
  int64_t at = size, seen = 0;
  bool first = true;
  *missing = 0;
  if (lines <= 0) return size;
  while (at > 0) {
    int64_t from = std::max<int64_t>(at - kBlock, 0);
    ssize_t n = pread(fd, block.data(), static_cast<size_t>(at - from), from);
    if (n != at - from) return errno_status("read", "log", n < 0 ? errno : EIO);
    for (int64_t i = n - 1; i >= 0; --i) {
      if (block[static_cast<size_t>(i)] != '\n') continue;
      if (std::exchange(first, false) && from + i == size - 1) continue;  // the end of the last line
      if (++seen == lines) return from + i + 1;
    }
    first = false;
    at = from;
  }
  *missing = size > 0 ? lines - seen - 1 : lines;
  return int64_t(0);
}

}  // namespace lotse::agent
