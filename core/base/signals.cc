#include "core/base/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace lotse {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  return set;
}

struct SignalHandle : Handle::Impl {
  ~SignalHandle() override {
    watch.reset();
    ::close(fd);
  }
  int fd = -1;
  Handle watch;
};

}  // namespace

void block_signals(std::initializer_list<int> signals) {
  sigset_t set = set_of(signals);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Handle watch_signals(Loop& loop, std::initializer_list<int> signals, std::function<void(int)> fn) {
  sigset_t set = set_of(signals);
  int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return Handle();
  auto handle = std::make_unique<SignalHandle>();
  handle->fd = fd;
  handle->watch = loop.watch_fd(fd, true, false, [fd, fn = std::move(fn)] {
    signalfd_siginfo info;
    if (::read(fd, &info, sizeof info) == sizeof info) fn(int(info.ssi_signo));
  });
  return Handle(std::move(handle));
}

}  // namespace lotse
