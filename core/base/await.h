// Waiting for what must come, because it is ours: a loop that works off what was posted, callbacks that leave. What takes long is said in
// the log; what does not come is a fault after which nothing can be destroyed safely, and the process ends (SIGABRT) rather than hangs.
#pragma once
#include <condition_variable>
#include <mutex>

#include "core/base/clock.h"

namespace lotse {

struct Patience {
  Duration slow = std::chrono::seconds(10);  // is worth a line
  Duration most = std::chrono::seconds(80);  // after the line; both together: what systemd gives a service to stop
};

void say_slow(const char* what);
[[noreturn]] void end_stuck(const char* what);

// REQUIRES: `lock` is held on the mutex of `ready`; it is not held while something is said.
template <class Pred>
void await(std::condition_variable& ready, std::unique_lock<std::mutex>& lock, const char* what, Pred pred, Patience patience = {}) {
  if (ready.wait_for(lock, patience.slow, pred)) return;
  lock.unlock();
  say_slow(what);
  lock.lock();
  if (ready.wait_for(lock, patience.most, pred)) return;
  end_stuck(what);
}

}  // namespace lotse
