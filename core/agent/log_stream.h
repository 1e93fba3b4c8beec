// LogStream: one container's log as a stream: read from the files on the pool, in pieces, as far as there is credit;
// while it follows, inotify says when there is more. It survives rotation: at the end of a file that was moved away the
// next one is opened.
#pragma once
#include <memory>
#include <string>

#include "core/agent/log_files.h"
#include "core/agent/safe_path.h"
#include "core/base/loop.h"
#include "core/base/stream.h"

namespace lotse::agent {

struct LogOptions {
  std::string root, container;  // the pod's log directory
  int attempt = 0;
  bool follow = false, timestamps = false;
  int64_t tail_lines = -1;      // all
  WallTime since{};
  int64_t limit_bytes = 0;      // none
};

// Turns raw CRI lines into what is shown. Pure; joins partial lines, drops what is too old, stops at the limit.
class LogFilter {
 public:
  explicit LogFilter(const LogOptions& options) : options_(options) {}
  void add(std::string_view raw, std::string* out);  // any piece of the file; lines may be split between pieces
  bool full() const { return options_.limit_bytes > 0 && written_ >= options_.limit_bytes; }

 private:
  void line(std::string_view line, std::string* out);
  LogOptions options_;
  std::string rest_;
  bool new_enough_ = false, at_line_start_ = true;
  int64_t written_ = 0;
};

// Where to start in a file for the last `lines` lines; *missing is how many lines it lacks. [worker]
Result<int64_t> tail_offset(int fd, int64_t size, int64_t lines, int64_t* missing);

class LogStream : public std::enable_shared_from_this<LogStream> {
 public:
  // still_running: [loop] whether more may come. The stream ends by itself once nothing more can.
  LogStream(Loop& loop, WorkerPool& pool, LogOptions options, SinkPtr sink, std::function<bool()> still_running);
  ~LogStream();
  // [loop] Begins; the sink is not called from within.
  void start();
  void kick();                // look again: the container may have ended
  void grant(uint64_t bytes); // [loop]
  void cancel();              // [loop]
  // The opener's side, for any thread.
  static StreamPtr handle(const std::shared_ptr<LogStream>& stream);

 private:
  struct Piece;
  void pump();
  void took(Piece& piece);
  void end(Status status);
  void listen();
  Loop& loop_;
  WorkerPool& pool_;
  LogOptions options_;
  SinkPtr sink_;
  std::function<bool()> still_running_;
  LogFilter filter_;
  Fd file_, inotify_;
  Handle watch_;
  std::vector<std::string> files_;  // still to be read, oldest first
  bool opened_ = false, head_sent_ = false, busy_ = false, ended_ = false, idle_ = false, last_look_ = false;
  uint64_t credit_ = 0;
};

}  // namespace lotse::agent
