// Queue: the keys that a controller has to look at. Each key is in it at most once, is given to one worker at a time,
// and comes back after a growing delay when looking at it failed. Pure: time is an argument.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/base/clock.h"

namespace lotse::control {

inline constexpr Duration kBackoffFirst = std::chrono::milliseconds(5);
inline constexpr Duration kBackoffMax = std::chrono::seconds(1000);

class Queue {
 public:
  // Now. A key that is being looked at comes again once that has ended.
  void add(const std::string& key);
  // Once `due` has come, unless it is due earlier already.
  void add_at(const std::string& key, SteadyTime due);
  // A key to look at; it is in flight until done or failed is called.
  std::optional<std::string> take(SteadyTime now);
  void done(const std::string& key);
  void failed(const std::string& key, SteadyTime now);
  // When take has something again at the earliest; nothing if only add can bring it.
  std::optional<SteadyTime> next_due() const;
  size_t size() const { return ready_.size() + delayed_.size(); }
  size_t in_flight() const { return in_flight_.size(); }
  bool idle() const { return size() == 0 && in_flight_.empty(); }

 private:
  void make_ready(SteadyTime now);
  void undelay(const std::string& key);

  std::deque<std::string> ready_;
  std::set<std::string> queued_;           // those in ready_
  std::map<std::string, bool> in_flight_;  // true: changed meanwhile
  std::set<std::pair<SteadyTime, std::string>> delayed_;
  std::unordered_map<std::string, SteadyTime> due_;
  std::unordered_map<std::string, int> failures_;
};

}  // namespace lotse::control
