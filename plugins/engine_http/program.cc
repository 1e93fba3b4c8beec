#include "plugins/engine_http/program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lotse::engine_http {
namespace {

constexpr size_t kOutputMax = 1 << 20;

// Files in memory hold input and output, so that only the end has to be waited for.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(Reactor& reactor, std::function<void(Outcome<ProgramResult>)> done) : reactor_(reactor), done_(std::move(done)) {}
  ~Run() {
    for (int fd : {in_, out_, err_, pidfd_}) {
      if (fd >= 0) close(fd);
    }
  }

  void start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
             const std::string& input, int64_t deadline_ns) {
    in_ = memfd_create("in", MFD_CLOEXEC), out_ = memfd_create("out", MFD_CLOEXEC);
    err_ = memfd_create("err", MFD_CLOEXEC);
    bool written = in_ >= 0 && out_ >= 0 && err_ >= 0 &&
                   write(in_, input.data(), input.size()) == static_cast<ssize_t>(input.size());
    if (!written) return tell(Failure{LOTSE_UNAVAILABLE, "no memory for the input of " + arguments[0]});
    lseek(in_, 0, SEEK_SET);
    int error = spawn(arguments, environment);
    if (error != 0) {
      return tell(Failure{LOTSE_UNAVAILABLE, "cannot run " + arguments[0] + ": " + strerror(error)});
    }
    pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    name_ = arguments[0];
    watch_ = reactor_.watch(pidfd_, EPOLLIN, [self = shared_from_this()](uint32_t) { self->ended(); });
    timer_ = reactor_.timer_at(deadline_ns, [self = shared_from_this()] {
      self->late_ = true;
      kill(self->pid_, SIGKILL);  // not yet waited for, so the number is still its own
    });
  }

 private:
  int spawn(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in_, 0);
    posix_spawn_file_actions_adddup2(&files, out_, 1);
    posix_spawn_file_actions_adddup2(&files, err_, 2);
    auto pointers = [](const std::vector<std::string>& texts) {
      std::vector<char*> out;
      for (auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
      out.push_back(nullptr);
      return out;
    };
    int error = posix_spawn(&pid_, arguments[0].c_str(), &files, &attributes, pointers(arguments).data(),
                            pointers(environment).data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error;
  }

  void ended() {
    auto self = shared_from_this();
    reactor_.unwatch(watch_);
    reactor_.timer_stop(timer_);
    int status = 0;
    waitpid(pid_, &status, 0);
    if (late_) return tell(Failure{LOTSE_DEADLINE, name_ + " did not end in time and was killed"});
    ProgramResult result;
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = contents(out_);
    result.err = contents(err_);
    tell(std::move(result));
  }

  static std::string contents(int fd) {
    off_t size = lseek(fd, 0, SEEK_END);
    std::string out(std::min<size_t>(kOutputMax, size > 0 ? static_cast<size_t>(size) : 0), '\0');
    ssize_t n = pread(fd, out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return out;
  }

  // Never from within start(), as who waits demands.
  void tell(Outcome<ProgramResult> outcome) {
    reactor_.post([done = std::move(done_), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
  }

  Reactor& reactor_;
  std::function<void(Outcome<ProgramResult>)> done_;
  std::string name_;
  int in_ = -1, out_ = -1, err_ = -1, pidfd_ = -1;
  pid_t pid_ = 0;
  uint64_t watch_ = 0, timer_ = 0;
  bool late_ = false;
};

}  // namespace

Co<Outcome<ProgramResult>> run_program(Reactor& reactor, std::vector<std::string> arguments,
                                       std::vector<std::string> environment, std::string input, int64_t deadline_ns) {
  Callback<Outcome<ProgramResult>> ended([&](std::function<void(Outcome<ProgramResult>)> done) {
    std::make_shared<Run>(reactor, std::move(done))->start(arguments, environment, input, deadline_ns);
  });
  co_return co_await ended;
}

}  // namespace lotse::engine_http
