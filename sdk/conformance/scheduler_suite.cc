// The scheduler's cases (scheduler/), registered.
#include <lotse/abi/scheduler.h>

#include "sdk/conformance/check.h"
#include "sdk/conformance/scheduler/cases.h"

namespace lotse::check {
namespace {
const bool registered = [] {
  for (const scheduler::SchedulerCase& c : scheduler::scheduler_cases()) {
    cases().push_back({"scheduler", c.name, c.says, [run = c.run](const Subject& subject) {
                         std::string wrong = run([&] { return reinterpret_cast<const lotse_scheduler*>(create(subject)); });
                         expect(wrong.empty(), wrong);
                       }});
  }
  return true;
}();
}  // namespace
}  // namespace lotse::check
