#include "core/daemon/clock_watch.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"
#include "core/base/log.h"

namespace lotse::daemon {

Result<std::unique_ptr<ClockWatch>> ClockWatch::start(Loop& loop, std::function<void()> jumped) {
  const int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) return errno_status("create", "a timer of the machine's clock", errno);
  std::unique_ptr<ClockWatch> watch(new ClockWatch(fd, std::move(jumped)));
  LOTSE_CHECK_OK(watch->arm());
  watch->watch_ = loop.watch_fd(fd, true, false, [w = watch.get()] { w->wake(); });
  return watch;
}

ClockWatch::~ClockWatch() {
  watch_.reset();
  ::close(fd_);
}

// Never rings by itself; setting the clock cancels it, which can be read.
Status ClockWatch::arm() {
  itimerspec far{};
  far.it_value.tv_sec = std::numeric_limits<int32_t>::max();
  if (timerfd_settime(fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr) != 0 && errno != ECANCELED)
    return errno_status("set", "a timer of the machine's clock", errno);
  return {};
}

void ClockWatch::wake() {
  uint64_t times = 0;
  if (::read(fd_, &times, sizeof times) < 0 && errno == EAGAIN) return;
  if (Status armed = arm(); !armed.ok()) {
    log::warn("daemon.clock_unwatched", "settings of the clock are noticed within 12 hours only", {{"reason", armed.message}});
    watch_.reset();
  }
  jumped_();
}

}  // namespace lotse::daemon
