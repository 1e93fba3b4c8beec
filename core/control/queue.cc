#include "core/control/queue.h"

#include <algorithm>

namespace lotse::control {

void Queue::undelay(const std::string& key) {
  auto it = due_.find(key);
  if (it == due_.end()) return;
  delayed_.erase({it->second, key});
  due_.erase(it);
}

void Queue::add(const std::string& key) {
  if (auto it = in_flight_.find(key); it != in_flight_.end()) {
    it->second = true;
    return;
  }
  // What failed waits out its delay only if nothing has changed since: a change is a reason to look at once.
  undelay(key);
  if (queued_.insert(key).second) ready_.push_back(key);
}

void Queue::add_at(const std::string& key, SteadyTime due) {
  if (queued_.contains(key)) return;
  auto it = due_.find(key);
  if (it != due_.end() && it->second <= due) return;
  undelay(key);
  due_[key] = due;
  delayed_.insert({due, key});
}

void Queue::make_ready(SteadyTime now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    std::string key = delayed_.begin()->second;
    if (in_flight_.contains(key)) {
      undelay(key);
      in_flight_[key] = true;
    } else {
      add(key);
    }
  }
}

std::optional<std::string> Queue::take(SteadyTime now) {
  make_ready(now);
  if (ready_.empty()) return std::nullopt;
  std::string key = std::move(ready_.front());
  ready_.pop_front();
  queued_.erase(key);
  in_flight_.emplace(key, false);
  return key;
}

void Queue::done(const std::string& key) {
  failures_.erase(key);
  auto it = in_flight_.find(key);
  bool again = it != in_flight_.end() && it->second;
  if (it != in_flight_.end()) in_flight_.erase(it);
  if (again) add(key);
}

void Queue::failed(const std::string& key, SteadyTime now) {
  in_flight_.erase(key);
  int n = failures_[key]++;
  Duration delay = n >= 18 ? kBackoffMax : std::min(kBackoffMax, kBackoffFirst * (int64_t{1} << n));
  add_at(key, now + delay);
}

std::optional<SteadyTime> Queue::next_due() const {
  if (!ready_.empty()) return SteadyTime::min();
  if (delayed_.empty()) return std::nullopt;
  return delayed_.begin()->first;
}

}  // namespace lotse::control
