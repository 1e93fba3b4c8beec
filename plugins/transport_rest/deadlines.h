// The deadlines of all connections of one thread, for next to nothing: each kind of wait has one length, so a list a kind
// is in order by itself, and a single timer stands at the earliest. It is moved only when it fires, so a busy connection
// costs a list splice, and an idle server sleeps.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

#include "plugins/transport_rest/link.h"

namespace lotse::transport_rest {

class Deadlines {
 public:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Entry* previous = nullptr;
    Entry* next = nullptr;
    Clock::time_point at;
    Wait what = Wait::kNothing;
    void* owner = nullptr;
    ~Entry();
  };
  using Lengths = std::array<std::chrono::nanoseconds, static_cast<size_t>(Wait::kCount)>;
  // set_timer(when): call expire() then; a later call replaces the earlier.
  Deadlines(const Lengths& lengths, std::function<void(Clock::time_point)> set_timer);
  // kNothing disarms.
  void arm(Entry& entry, Wait what, Clock::time_point now);
  // Calls fn(owner, what) for each that has passed, disarmed before, then sets the timer anew.
  void expire(Clock::time_point now, const std::function<void(void* owner, Wait what)>& fn);

 private:
  void set_timer();
  Lengths lengths_;
  std::function<void(Clock::time_point)> set_timer_;
  std::array<Entry, static_cast<size_t>(Wait::kCount)> heads_;  // rings
  Clock::time_point timer_at_ = Clock::time_point::max();
};

}  // namespace lotse::transport_rest
