// ClockWatch: told when somebody sets the machine's clock, so that what has an end by it is looked at at once and not at the next
// turn of a timer. Costs a file descriptor and no wakeup.
#pragma once
#include <functional>
#include <memory>

#include "core/base/loop.h"

namespace lotse::daemon {

class ClockWatch {
 public:
  // [loop] jumped: [loop] after each setting of the clock, also by a step of NTP.
  static Result<std::unique_ptr<ClockWatch>> start(Loop& loop, std::function<void()> jumped);
  ~ClockWatch();  // [loop]

 private:
  ClockWatch(int fd, std::function<void()> jumped) : fd_(fd), jumped_(std::move(jumped)) {}
  Status arm();
  void wake();

  int fd_;
  std::function<void()> jumped_;
  Handle watch_;
};

}  // namespace lotse::daemon
