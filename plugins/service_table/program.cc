#include "plugins/service_table/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

extern char** environ;

namespace lotse::service_table {
namespace {

constexpr size_t kOutMax = 64 << 20, kErrMax = 16 << 10;

struct Pipe {
  int read = -1, write = -1;
  // A socket pair, so that writing to a program that has ended is an error and no signal.
  explicit Pipe(bool input) {
    int fds[2];
    const bool ok = input ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0 : pipe2(fds, O_CLOEXEC) == 0;
    if (ok) read = fds[0], write = fds[1];
  }
  ~Pipe() { close_read(), close_write(); }
  void close_read() { if (read >= 0) close(std::exchange(read, -1)); }
  void close_write() { if (write >= 0) close(std::exchange(write, -1)); }
};

// false: end of file.
bool drain(int fd, std::string* to, size_t max) {
  char buffer[65536];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  if (size <= 0) return size < 0 && (errno == EINTR || errno == EAGAIN);
  if (to->size() < max) to->append(buffer, std::min(static_cast<size_t>(size), max - to->size()));
  return true;
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& argv, const std::string& input, std::chrono::nanoseconds timeout) {
  ProgramResult result;
  Pipe in(true), out(false), err(false);
  if (in.read < 0 || out.read < 0 || err.read < 0) {
    result.err = std::string("no pipe: ") + strerror(errno);
    return result;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  std::vector<char*> raw;
  for (const auto& arg : argv) raw.push_back(const_cast<char*>(arg.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) {
    result.err = argv[0] + " cannot be started: " + strerror(failed);
    return result;
  }
  in.close_read(), out.close_write(), err.close_write();
  fcntl(in.write, F_SETFL, O_NONBLOCK);
  size_t written = 0;
  if (input.empty()) in.close_write();
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (out.read >= 0 || err.read >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd fds[3] = {{in.write, POLLOUT, 0}, {out.read, POLLIN, 0}, {err.read, POLLIN, 0}};
    if (left <= 0 || poll(fds, 3, static_cast<int>(left)) == 0) {
      kill(pid, SIGKILL);
      result.err += argv[0] + " did not end in time";
      break;
    }
    if (in.write >= 0 && fds[0].revents) {
      const ssize_t size = send(in.write, input.data() + written, input.size() - written, MSG_NOSIGNAL);
      if (size > 0) written += static_cast<size_t>(size);
      if (written == input.size() || (size < 0 && errno != EAGAIN && errno != EINTR)) in.close_write();
    }
    if (fds[1].revents && !drain(out.read, &result.out, kOutMax)) out.close_read();
    if (fds[2].revents && !drain(err.read, &result.err, kErrMax)) err.close_read();
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace lotse::service_table
