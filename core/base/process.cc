#include "core/base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"

extern char** environ;

namespace lotse {
namespace {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct Actions {
  posix_spawn_file_actions_t raw;
  Actions() { posix_spawn_file_actions_init(&raw); }
  ~Actions() { posix_spawn_file_actions_destroy(&raw); }
};

struct Attributes {
  posix_spawnattr_t raw;
  explicit Attributes(short own) {
    posix_spawnattr_init(&raw);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&raw, &none);
    posix_spawnattr_setsigdefault(&raw, &all);
    posix_spawnattr_setflags(&raw, short(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | own));
  }
  ~Attributes() { posix_spawnattr_destroy(&raw); }
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// A file in memory instead of a pipe: the child reads at its own pace and nobody has to write, or gets SIGPIPE.
Result<Fd> input_of(const std::string& text) {
  Fd fd(text.empty() ? ::open("/dev/null", O_RDONLY | O_CLOEXEC) : ::memfd_create("stdin", MFD_CLOEXEC));
  if (fd.get() < 0) return errno_status("prepare", "stdin", errno);
  std::string_view rest = text;
  while (!rest.empty()) {
    ssize_t wrote = ::write(fd.get(), rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_status("prepare", "stdin", errno);
    rest.remove_prefix(size_t(wrote));
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

Result<pid_t> spawn(const Program& program, int in, int out, int err, short flags) {
  if (program.args.empty()) return Status(Reason::kBadRequest, "no program was named");
  Actions actions;
  posix_spawn_file_actions_adddup2(&actions.raw, in, 0);
  posix_spawn_file_actions_adddup2(&actions.raw, out, 1);
  posix_spawn_file_actions_adddup2(&actions.raw, err, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions.raw, 3);
  if (!program.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions.raw, program.directory.c_str());
  Attributes attributes(flags);
  std::vector<char*> args = pointers(program.args);
  std::vector<char*> env = program.env ? pointers(*program.env) : std::vector<char*>();
  pid_t pid = -1;
  int error =
      posix_spawnp(&pid, args[0], &actions.raw, &attributes.raw, args.data(), program.env ? env.data() : environ);
  if (error != 0) return errno_status("start", program.args[0], error);
  return pid;
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return code_of(status);
}

// Reads what is there. False: the other end is closed.
bool read_some(int fd, std::string* out, size_t max, bool* cut) {
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    size_t room = max - std::min(max, out->size());
    if (size_t(got) > room) *cut = true;
    out->append(buffer, std::min(room, size_t(got)));
  }
}

// Gathers output until the process has ended. False: the time is over. What grandchildren still hold open after the
// end is not waited for.
bool gather(int process, Fd* out, Fd* err, const ProgramLimits& limits, ProgramEnd* end) {
  const Clock& clock = Clock::system();
  SteadyTime deadline = clock.steady() + limits.time;
  while (true) {
    pollfd polled[3] = {{process, POLLIN, 0}, {out->get(), POLLIN, 0}, {err->get(), POLLIN, 0}};
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.steady()).count();
    if (left <= 0) return false;
    int ready = ::poll(polled, 3, int(std::min<int64_t>(left, 3'600'000)));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    if (polled[1].revents && !read_some(out->get(), &end->out, limits.output_max, &end->cut)) out->reset();
    if (polled[2].revents && !read_some(err->get(), &end->err, limits.output_max, &end->cut)) err->reset();
    if (!polled[0].revents) continue;
    if (out->get() >= 0) read_some(out->get(), &end->out, limits.output_max, &end->cut);
    if (err->get() >= 0) read_some(err->get(), &end->err, limits.output_max, &end->cut);
    return true;
  }
}

}  // namespace

Result<ProgramEnd> run_program(const Program& program, const ProgramLimits& limits) {
  LOTSE_TRY(Fd in, input_of(program.input));
  int pipes[2][2];
  if (::pipe2(pipes[0], O_CLOEXEC) != 0) return errno_status("prepare", "stdout", errno);
  Fd out(pipes[0][0]), out_end(pipes[0][1]);
  if (::pipe2(pipes[1], O_CLOEXEC) != 0) return errno_status("prepare", "stderr", errno);
  Fd err(pipes[1][0]), err_end(pipes[1][1]);
  ::fcntl(out.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(err.get(), F_SETFL, O_NONBLOCK);
  LOTSE_TRY(pid_t pid, spawn(program, in.get(), out_end.get(), err_end.get(), POSIX_SPAWN_SETPGROUP));
  out_end.reset();
  err_end.reset();
  Fd process(int(::syscall(SYS_pidfd_open, pid, 0)));
  ProgramEnd end;
  bool in_time = process.get() >= 0 && gather(process.get(), &out, &err, limits, &end);
  if (!in_time) ::kill(-pid, SIGKILL);
  end.exit_code = wait_for(pid);
  if (in_time) return end;
  double seconds = std::chrono::duration<double>(limits.time).count();
  return Status(Reason::kTimeout, fmt::format("{} did not end within {} s and was killed", program.args[0], seconds));
}

Result<std::string> run_program_ok(const Program& program, const ProgramLimits& limits) {
  LOTSE_TRY(ProgramEnd end, run_program(program, limits));
  if (end.exit_code == 0) return std::move(end.out);
  std::string_view said = end.err.empty() ? std::string_view(end.out) : std::string_view(end.err);
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.remove_suffix(1);
  return Status(Reason::kInternalError,
                fmt::format("{} ended with exit code {}: {}", program.args[0], end.exit_code, said.substr(0, 2000)));
}

Result<pid_t> start_program(const Program& program, const std::string& log_path) {
  LOTSE_TRY(Fd in, input_of(program.input));
  Fd log(log_path.empty() ? ::open("/dev/null", O_WRONLY | O_CLOEXEC)
                          : ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (log.get() < 0) return errno_status("open", log_path, errno);
  return spawn(program, in.get(), log.get(), log.get(), POSIX_SPAWN_SETSID);
}

std::optional<int> reap_program(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return code_of(status);
}

}  // namespace lotse
