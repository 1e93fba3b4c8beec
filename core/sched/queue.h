// Queue: the pods that wait for a node.
//   active          to be placed now: the most important first, of equal ones who has waited longest
//   backoff         failed a moment ago: 1 s, doubling up to 10 s
//   unschedulable   nothing that has happened since could help them; an event that may brings them back
// Pure: time is an argument.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/sched/form.h"

namespace lotse::sched {

inline constexpr Duration kPodBackoffFirst = std::chrono::seconds(1);
inline constexpr Duration kPodBackoffMax = std::chrono::seconds(10);
inline constexpr Duration kUnschedulableMax = std::chrono::minutes(5);  // then tried again, come what may

// What has happened in the cluster, as bits.
enum Wake : uint32_t { kNodeChanged = 1, kPodGone = 2, kPodPlaced = 4, kPodChanged = 8, kWakeAll = ~0u };

struct Waiting {
  std::shared_ptr<const PodForm> form;
  int attempts = 0;
  SteadyTime since{};         // in the queue at all
  uint32_t wakes = kWakeAll;  // which events may help it
  std::string nominated;      // room is kept for it there
  bool condition_written = false;
  std::string last_message;
};
using WaitingPtr = std::shared_ptr<Waiting>;

class Queue {
 public:
  // New, or changed so that it may be placed now.
  void add(std::shared_ptr<const PodForm> form, SteadyTime now);
  // Puts a new form in place of the old one without a new turn (only its status has changed).
  void refresh(std::shared_ptr<const PodForm> form);
  void remove(const std::string& uid);
  bool has(const std::string& uid) const { return entries_.contains(uid); }
  Waiting* find(const std::string& uid);
  // Up to max pods that this says belong together (the same policy); they are in flight until given back or removed.
  std::vector<WaitingPtr> take(size_t max, SteadyTime now, std::string_view scheduler);
  // It could not be placed; what happened while it was in flight may have changed that already.
  void unschedulable(const WaitingPtr& pod, uint32_t wakes, SteadyTime now);
  // It failed for another reason (the binding was refused): again after backoff.
  void retry(const WaitingPtr& pod, SteadyTime now);
  // Something happened.
  void wake(uint32_t events, SteadyTime now);
  std::optional<SteadyTime> next_due() const;
  void tick(SteadyTime now);  // moves what is due
  // The scheduler name of the first active pod; "" if there is none.
  std::string first_scheduler(SteadyTime now);
  size_t active() const { return active_.size(); }
  size_t backing_off() const { return backoff_.size(); }
  size_t size() const { return entries_.size(); }

 private:
  struct Order {
    bool operator()(const WaitingPtr& a, const WaitingPtr& b) const;
  };
  enum class Place : uint8_t { kActive, kBackoff, kUnschedulable, kInFlight };
  struct Entry {
    WaitingPtr pod;
    Place place = Place::kActive;
    SteadyTime due{};       // backoff: until; unschedulable: at the latest
    uint32_t happened = 0;  // while in flight
    SteadyTime failed{};
  };
  static Duration backoff(int attempts);
  void leave(Entry& entry);
  void enter(Entry& entry, Place place, SteadyTime due = {});

  std::map<std::string, Entry> entries_;  // by uid
  std::set<WaitingPtr, Order> active_;
  std::set<std::pair<SteadyTime, std::string>> backoff_, unschedulable_;
};

}  // namespace lotse::sched
