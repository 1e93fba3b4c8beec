#include "sdk/isolation/host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace lotse::isolation {
namespace {
constexpr int64_t kSecond = 1'000'000'000;
constexpr size_t kLineMax = 4096;

std::string failed(const char* what) { return std::string(what) + ": " + strerror(errno); }

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
}  // namespace

HostProcess::~HostProcess() {
  for (int fd : {socket_, printed_, wake_})
    if (fd >= 0) close(fd);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

std::string HostProcess::spawn(const std::string& program) {
  int pair[2], pipe[2];
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return failed("socketpair");
  socket_ = pair[0];
  if (pipe2(pipe, O_CLOEXEC) != 0) return close(pair[1]), failed("pipe");
  printed_ = pipe[0];
  set_nonblocking(socket_), set_nonblocking(printed_);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, pipe[1], 1);
  posix_spawn_file_actions_adddup2(&files, pipe[1], 2);
  posix_spawn_file_actions_adddup2(&files, pair[1], kSocket);
  posix_spawn_file_actions_addclosefrom_np(&files, kSocket + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none), sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  char* const argv[] = {const_cast<char*>(program.c_str()), nullptr};
  const int error = posix_spawn(&pid_, program.c_str(), &files, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close(pair[1]), close(pipe[1]);
  if (error == 0) return {};
  pid_ = -1;
  errno = error;
  return failed(program.c_str());
}

void HostProcess::send(const Frame& frame) {
  std::unique_lock lock(mutex_);
  if (socket_ < 0 || too_much_) return;
  const bool idle = out_.empty();
  append_frame(&out_, frame);
  too_much_ = out_.size() - sent_ > kQueuedMax;
  if (idle) flush();
  if (out_.empty()) return;
  lock.unlock();
  wake();
}

// REQUIRES: mutex_. False: nobody reads any more.
bool HostProcess::flush() {
  while (sent_ < out_.size()) {
    const ssize_t n = ::send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    sent_ += static_cast<size_t>(n);
  }
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > 1 << 20) out_.shrink_to_fit();
  return true;
}

void HostProcess::wake() {
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
}

void HostProcess::stop(int64_t within_ns) {
  stop_by_ = monotonic_now() + within_ns;
  send({FrameType::kDestroy, 0, 0, 0, {}});
  wake();
}

void HostProcess::kill() {
  killed_ = true;
  wake();
}

int HostProcess::timeout_ms(const NearEnd& near, int64_t now) const {
  int64_t next = near.next_check();
  if (quiet_until_ != 0) next = std::min(next, quiet_until_);
  if (stop_by_ != 0) next = std::min<int64_t>(next, stop_by_);
  if (next == INT64_MAX) return -1;
  return static_cast<int>(std::clamp<int64_t>((next - now) / 1'000'000 + 1, 0, 1 << 30));
}

HostProcess::Ended HostProcess::run(NearEnd& near, const Listener& listener) {
  for (;;) {
    const int64_t now = monotonic_now();
    if (quiet_until_ != 0 && now >= quiet_until_) quiet_until_ = 0;
    bool full, writing;
    {
      std::lock_guard lock(mutex_);
      full = too_much_, writing = !out_.empty();
    }
    if (killed_ || (stop_by_ != 0 && now >= stop_by_)) return reap({End::kStopped, "was ended"});
    near.beat(now);
    std::string late = full ? "it reads nothing any more" : near.overdue(now);
    if (!late.empty()) return reap({End::kHung, "hangs: " + late});
    pollfd fds[] = {{socket_, static_cast<short>(POLLIN | (writing ? POLLOUT : 0)), 0},
                    {wake_, POLLIN, 0},
                    {quiet_until_ != 0 ? -1 : printed_, POLLIN, 0}};
    if (poll(fds, 3, timeout_ms(near, now)) < 0 && errno != EINTR) return reap({End::kCrashed, failed("poll")});
    if (fds[1].revents) {
      uint64_t count;
      (void)!read(wake_, &count, sizeof count);
    }
    if (fds[2].revents) read_printed(listener, monotonic_now());
    if (fds[0].revents & POLLOUT) {
      std::lock_guard lock(mutex_);
      flush();
    }
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) && !read_frames(near, listener)) {
      read_printed(listener, monotonic_now());
      return reap({});
    }
  }
}

bool HostProcess::read_frames(NearEnd& near, const Listener& listener) {
  char buffer[65536];
  const ssize_t n = recv(socket_, buffer, sizeof buffer, 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  frames_.feed({buffer, static_cast<size_t>(n)});
  for (Frame f; frames_.next(&f);) {
    if (f.type == FrameType::kBye) return false;
    if (f.type == FrameType::kLog || f.type == FrameType::kFault) {
      if (listener.other) listener.other(f);
    } else if (!near.receive(std::move(f))) {
      return false;
    }
  }
  return !frames_.broken();
}

void HostProcess::read_printed(const Listener& listener, int64_t now) {
  if (printed_ < 0) return;
  if (now / kSecond != second_) second_ = now / kSecond, taken_ = 0;
  char buffer[16384];
  for (ssize_t n; (n = read(printed_, buffer, sizeof buffer)) != 0;) {
    if (n < 0) return;  // nothing more for now
    taken_ += static_cast<size_t>(n);
    for (char c : std::string_view(buffer, static_cast<size_t>(n))) {
      if (c != '\n' && line_.size() < kLineMax) line_ += c;
      if (c != '\n' || line_.empty()) continue;
      if (listener.said) listener.said(line_);
      line_.clear();
    }
    if (taken_ < kPrintedMax) continue;
    quiet_until_ = (second_ + 1) * kSecond;
    if (listener.flooded) listener.flooded();
    return;
  }
  close(printed_);
  printed_ = -1;
}

// A process whose socket is closed has ended, or is about to; one that has not after a second is made to.
HostProcess::Ended HostProcess::reap(Ended known) {
  if (known.sentence.empty()) {
    const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    pollfd ended{fd, POLLIN, 0};
    if (fd >= 0) {
      poll(&ended, 1, 1000);
      close(fd);
    }
  }
  ::kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (!known.sentence.empty()) return known;
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    const char* name = sigdescr_np(number);
    return {End::kCrashed, "was killed by signal " + std::to_string(number) + " (" + (name ? name : "unknown") + ")"};
  }
  const int code = WEXITSTATUS(status);
  if (code == kExitMemory) return {End::kMemory, "used more memory than it may"};
  if (stop_by_ != 0) return {End::kStopped, "was ended"};
  return {End::kCrashed, "ended with code " + std::to_string(code)};
}

}  // namespace lotse::isolation
