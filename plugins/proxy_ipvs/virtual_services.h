// VirtualServices: makes the kernel's list what is wanted. It reads the kernel's own list each time and changes what differs, so that
// nothing needs to be remembered over a restart.
//
// A destination that is no longer wanted gets the weight 0 (nothing new is sent to it) and goes when its last connection has ended, or
// after the deadline. UDP has no end: there, and with the scheduler dh, which knows no second choice, it goes at once. Not thread-safe.
#pragma once
#include <chrono>
#include <optional>
#include <random>

#include "plugins/proxy_ipvs/ipvs.h"

namespace lotse::proxy_ipvs {

class VirtualServices {
 public:
  using Time = std::chrono::steady_clock::time_point;
  VirtualServices(std::string scheduler, std::chrono::nanoseconds patience) : scheduler_(std::move(scheduler)), patience_(patience) {}

  // The kernel has exactly these of ours afterwards; nullptr: not wanted. A problem is one of this Service only.
  std::vector<Problem> bring_all(Ipvs& kernel, const std::map<VirtualKey, Virtual>& wanted, Time now);
  std::optional<Problem> bring(Ipvs& kernel, const VirtualKey& key, const Virtual* wanted, Time now);
  // Takes out what has no connection left or has had its time.
  void collect(Ipvs& kernel, Time now);
  bool draining() const { return !draining_.empty(); }
  void forget() { draining_.clear(); }

 private:
  void bring_destinations(Ipvs& kernel, const VirtualKey& key, const Virtual& wanted, Time now);
  std::minstd_rand dice_{std::random_device()()};
  std::string scheduler_;
  std::chrono::nanoseconds patience_;
  std::map<VirtualKey, std::map<Destination, Time>> draining_;  // until when
};

}  // namespace lotse::proxy_ipvs
