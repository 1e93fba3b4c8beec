#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/base/file.h"
#include "core/base/frame_io.h"
#include "core/base/ids.h"
#include "core/cli/commands.h"
#include "core/cli/exchange.h"

namespace lotse::cli {
namespace {

constexpr int kPatienceSeconds = 600;  // between two frames

struct Fd {
  int fd = -1;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

// A file that appears under its name when it is whole.
class Output {
 public:
  explicit Output(std::string path) : path_(std::move(path)), temporary_(path_ + "." + make_suffix(8) + ".tmp") {}
  ~Output() {
    if (file_.fd >= 0) ::unlink(temporary_.c_str());
  }
  Status write(std::string_view bytes) {
    if (path_.empty()) return Status(Reason::kInternalError, "lotsed has sent data that nobody asked for");
    if (file_.fd < 0) file_.fd = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file_.fd < 0) return errno_status("create", temporary_, errno);
    while (!bytes.empty()) {
      ssize_t wrote = ::write(file_.fd, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return errno_status("write", temporary_, errno);
      bytes.remove_prefix(size_t(wrote));
    }
    return {};
  }
  Status finish() {
    if (file_.fd < 0) return {};
    if (::fsync(file_.fd) != 0) return errno_status("sync", temporary_, errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return errno_status("rename to", path_, errno);
    ::close(std::exchange(file_.fd, -1));
    return {};
  }

 private:
  std::string path_, temporary_;
  Fd file_;
};

int fail(Streams streams, std::string_view sentence) {
  streams.err << "lotse: " << sentence << "\n";
  return kExitFailed;
}

}  // namespace

Ended exchange(const std::string& data_dir, const MsgValue& request, const OnFrame& on_frame) {
  std::string path = data_dir + "/lotse.sock";
  auto connected = connect_unix(path);
  if (!connected.ok()) {
    Reason reason = connected.status().reason;
    bool nobody = reason == Reason::kNotFound || reason == Reason::kServiceUnavailable;
    return {kExitNotReachable,
            nobody ? fmt::format("no lotsed runs with the data directory {} ({})", data_dir, connected.status().message)
                   : connected.status().message,
            ""};
  }
  Fd fd{*connected};
  timeval patience{kPatienceSeconds, 0};
  ::setsockopt(fd.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  // A daemon that refuses us may have said why, and gone, before it has read anything.
  (void)!write_frame(fd.fd, request).ok();
  while (true) {
    auto frame = read_frame(fd.fd);
    if (!frame.ok())
      return {kExitFailed, fmt::format("lotsed has not finished its answer: {}", frame.status().message), ""};
    if (frame->has("exit")) {
      int code = int((*frame)["exit"].as_int(kExitFailed));
      return {code, code == kExitOk ? "" : std::string((*frame)["error"].as_text("the command failed")), std::string((*frame)["reason"].as_text())};
    }
    if (Status taken = on_frame(*frame); !taken.ok()) return {kExitFailed, taken.message, ""};
  }
}

int ask_daemon(const std::string& data_dir, const MsgValue& request, const std::string& output_file, Streams streams) {
  Output output(output_file);
  Ended ended = exchange(data_dir, request, [&](const MsgValue& frame) -> Status {
    streams.out << frame["out"].as_text() << std::flush;
    return frame.has("data") ? output.write(frame["data"].as_text()) : Status();
  });
  if (ended.code == kExitOk) {
    Status finished = output.finish();
    return finished.ok() ? kExitOk : fail(streams, finished.message);
  }
  fail(streams, ended.sentence);
  return ended.code;
}

}  // namespace lotse::cli
