// What every scheduler policy must do, whatever it prefers. Each case gets a fresh instance and says in a sentence what
// is wrong, or nothing.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "lotse/abi/scheduler.h"

namespace lotse::check::scheduler {

using MakeScheduler = std::function<const lotse_scheduler*()>;

struct SchedulerCase {
  const char* name;
  const char* says;
  std::string (*run)(const MakeScheduler& make);
};
const std::vector<SchedulerCase>& scheduler_cases();

}  // namespace lotse::check::scheduler
