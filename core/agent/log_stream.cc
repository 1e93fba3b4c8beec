#include "core/agent/log_stream.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/pod_context.h"
#include "core/base/file.h"

namespace lotse::agent {
namespace {

constexpr size_t kPiece = 64 * 1024;

Result<Fd> open_log(const LogOptions& o, const std::string& name) {
  LOTSE_TRY(Fd fd, open_beneath(o.root, o.container + "/" + name, O_RDONLY | O_NONBLOCK));
  struct stat st {};
  if (fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode))
    return Status(Reason::kForbidden, "the log is not a regular file");
  return fd;
}

std::string current_name(const LogOptions& o) { return std::to_string(o.attempt) + ".log"; }

// The log's files, oldest first; the current one is the last, unless it has only just been moved away.
std::vector<std::string> log_names(const LogOptions& o) {
  std::vector<std::string> out;
  auto dir = open_beneath(o.root, o.container, O_RDONLY | O_DIRECTORY);
  if (!dir.ok()) return {current_name(o)};
  int fd = dir->release();
  bool current = false;
  if (DIR* d = fdopendir(fd)) {
    while (auto* e = readdir(d)) {
      std::string name = e->d_name;
      if (name.starts_with(current_name(o) + ".")) out.push_back(name);
      current = current || name == current_name(o);
    }
    closedir(d);
  } else {
    close(fd);
  }
  std::sort(out.begin(), out.end());
  if (current || out.empty()) out.push_back(current_name(o));
  return out;
}

// The file to begin with and where in it, for a tail that may reach into older files.
Status open_tail(const LogOptions& o, std::vector<std::string>* files, Fd* out) {
  auto names = log_names(o);
  int64_t wanted = o.tail_lines;
  size_t index = o.tail_lines < 0 ? 0 : names.size() - 1;
  while (true) {
    auto fd = open_log(o, names[index]);
    if (!fd.ok()) return fd.status();
    struct stat st {};
    if (fstat(fd->get(), &st) != 0) return errno_status("stat", names[index], errno);
    int64_t missing = 0;
    if (o.tail_lines >= 0) {
      LOTSE_TRY(int64_t offset, tail_offset(fd->get(), st.st_size, wanted, &missing));
      lseek(fd->get(), offset, SEEK_SET);
    }
    if (missing > 0 && index > 0) {
      wanted = missing;
      --index;
      continue;
    }
    *out = std::move(*fd);
    files->assign(names.begin() + static_cast<ptrdiff_t>(index) + 1, names.end());
    return {};
  }
}

}  // namespace

struct LogStream::Piece {
  Status status;
  std::string text;
  bool at_end = false;   // nothing more to read just now
  bool running = true;   // when the reading began
};

LogStream::LogStream(Loop& loop, WorkerPool& pool, LogOptions options, SinkPtr sink,
                     std::function<bool()> still_running)
    : loop_(loop),
      pool_(pool),
      options_(std::move(options)),
      sink_(std::move(sink)),
      still_running_(std::move(still_running)),
      filter_(options_) {}

LogStream::~LogStream() { watch_.reset(); }

void LogStream::start() { pump(); }

void LogStream::grant(uint64_t bytes) {
  credit_ += bytes;
  pump();
}

void LogStream::kick() {
  idle_ = false;
  pump();
}

void LogStream::cancel() { end(Status(Reason::kCancelled, "the reader has gone")); }

void LogStream::end(Status status) {
  if (std::exchange(ended_, true)) return;
  watch_.reset();
  // Never from within a call of the opener's.
  loop_.post([sink = std::move(sink_), status = std::move(status)] { sink->on_end(status, Bytes()); });
}

// Watches the directory: appends, and the new file after a rotation.
void LogStream::listen() {
  if (inotify_) return;
  inotify_ = Fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  auto dir = options_.root + "/" + options_.container;
  if (!inotify_ ||
      inotify_add_watch(inotify_.get(), dir.c_str(),
                        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
    return end(errno_status("watch", dir, errno));
  }
  watch_ = loop_.watch_fd(inotify_.get(), true, false, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->ended_) return;
    char buffer[4096];
    while (read(self->inotify_.get(), buffer, sizeof buffer) > 0) {
    }
    self->kick();
  });
}

// One piece at a time: read on the pool, filtered there, handed on here.
void LogStream::pump() {
  if (ended_ || busy_ || idle_ || (credit_ == 0 && opened_)) return;
  if (options_.follow && opened_) listen();
  if (ended_) return;
  busy_ = true;
  auto piece = std::make_shared<Piece>();
  piece->running = still_running_();
  auto self = shared_from_this();
  on_pool(loop_, pool_, [self, piece] {
    if (!self->opened_) {
      piece->status = open_tail(self->options_, &self->files_, &self->file_);
      return;
    }
    std::string raw(kPiece, '\0');
    ssize_t n = read(self->file_.get(), raw.data(), raw.size());
    if (n < 0) piece->status = errno_status("read", "log", errno);
    if (n > 0) self->filter_.add(std::string_view(raw).substr(0, static_cast<size_t>(n)), &piece->text);
    if (n != 0) return;
    if (!self->files_.empty()) {  // the next older or the current file
      auto next = open_log(self->options_, self->files_.front());
      self->files_.erase(self->files_.begin());
      if (next.ok()) self->file_ = std::move(*next);
      return;
    }
    // Moved away meanwhile? Then the log goes on in a file of the same name.
    struct stat ours {}, there {};
    auto now = open_log(self->options_, current_name(self->options_));
    if (self->options_.follow && now.ok() && fstat(self->file_.get(), &ours) == 0 && fstat(now->get(), &there) == 0 &&
        (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)) {
      char one;
      if (pread(self->file_.get(), &one, 1, lseek(self->file_.get(), 0, SEEK_CUR)) <= 0) self->file_ = std::move(*now);
      return;
    }
    piece->at_end = true;
  }, [self, piece] {
    self->busy_ = false;
    self->took(*piece);
  });
}

void LogStream::took(Piece& piece) {
  if (ended_) return;
  if (!piece.status.ok()) {
    // A container that has only just been started has no file yet.
    bool soon = !opened_ && piece.status.reason == Reason::kNotFound && options_.follow && piece.running;
    if (!soon) return end(piece.status);
    listen();
    idle_ = true;
    return;
  }
  bool just_opened = !std::exchange(opened_, true);
  if (just_opened && !std::exchange(head_sent_, true)) sink_->on_item(1, Bytes(std::string_view("\x80", 1)));
  if (!piece.text.empty()) {
    credit_ -= std::min<uint64_t>(credit_, piece.text.size());
    sink_->on_item(0, Bytes(piece.text));
  }
  if (filter_.full()) return end(Status());
  if (!piece.at_end) return pump();
  if (!options_.follow) return end(Status());
  if (!piece.running) {
    // The container had ended before this reading began, so there is nothing more.
    return end(Status());
  }
  idle_ = true;
  if (!still_running_()) kick();
}

namespace {

class LogHandle : public Stream {
 public:
  LogHandle(std::shared_ptr<LogStream> stream, Loop& loop) : stream_(std::move(stream)), loop_(loop) {}
  ~LogHandle() override { cancel(); }
  void grant(uint64_t bytes) override {
    loop_.post([s = stream_, bytes] { s->grant(bytes); });
  }
  void cancel() override {
    loop_.post([s = stream_] { s->cancel(); });
  }

 private:
  std::shared_ptr<LogStream> stream_;
  Loop& loop_;
};

}  // namespace

StreamPtr LogStream::handle(const std::shared_ptr<LogStream>& stream) {
  return std::make_unique<LogHandle>(stream, stream->loop_);
}

}  // namespace lotse::agent
