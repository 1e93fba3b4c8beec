// Requests that wait for the store: each is answered at its deadline at the latest, with 504, and what its commit says afterwards is
// nobody's any more. The timer runs only while somebody waits.
#pragma once
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/api/call.h"
#include "core/base/loop.h"

namespace lotse::api {

class InFlight : public std::enable_shared_from_this<InFlight> {
 public:
  InFlight(Loop& loop, Clock& clock) : loop_(loop), clock_(clock) {}
  void add(const CallPtr& call);     // [any]
  void remove(const Call* call);     // [any]
  void close();                      // [any] the server ends: nothing is answered from here any more

 private:
  void look();                       // [loop]
  Loop& loop_;
  Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<const Call*, std::pair<SteadyTime, std::weak_ptr<Call>>> calls_;
  bool armed_ = false, closed_ = false;
  Handle timer_;                     // [loop]
};

}  // namespace lotse::api
