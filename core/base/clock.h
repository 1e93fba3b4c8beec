// Time is passed in, never fetched: a Clock is an argument, so that tests and simulations decide what time it is.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace lotse {

using Duration = std::chrono::nanoseconds;
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;                               // UTC, may jump
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;  // never jumps

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual SteadyTime steady() const = 0;
  static Clock& system();
};

// RFC 3339 as Kubernetes writes it. metav1.Time has whole seconds ("2026-01-02T03:04:05Z"), MicroTime six digits.
std::string format_time(WallTime time);
std::string format_micro_time(WallTime time);
Result<WallTime> parse_time(std::string_view text);  // any RFC 3339 offset and fraction
std::string format_age(Duration age);                // kubectl's "5d3h", "2m10s"

}  // namespace lotse
