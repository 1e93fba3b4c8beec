// Signals as events of a loop. They are blocked in every thread, so block_signals comes first in main, before any
// thread is started; programs that we start get an empty mask again (process.h).
#pragma once
#include <functional>
#include <initializer_list>

#include "core/base/loop.h"

namespace lotse {

void block_signals(std::initializer_list<int> signals);
// [loop] Runs fn(signal) for each that comes as long as the handle lives. REQUIRES: they are blocked.
Handle watch_signals(Loop& loop, std::initializer_list<int> signals, std::function<void(int)> fn);

}  // namespace lotse
