// Scheduler: finds a node for every pod that has none. It keeps the queue, tells the policies of nodes and pods as they
// change, asks them in batches, assumes what they answer and binds it through the API, many at a time.
//
// Threads: all of it on `loop`, but the policies, which are called on `worker` only, one call at a time and in the
// order of what happened. start and stop are called on `loop`.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/api/request.h"
#include "core/base/loop.h"
#include "core/store/store.h"
#include "lotse/abi/scheduler.h"

namespace lotse::sched {

struct Settings {
  size_t batch_max = 256;             // pods a call of the policy
  size_t writes_in_flight_max = 512;  // bindings and status patches
  size_t events_in_flight_max = 128;
  size_t events_queued_max = 16384;  // beyond, events are dropped
  uint64_t seed = 1;
};

// A policy and the spec.schedulerName values that it serves.
struct PolicySlot {
  std::vector<std::string> scheduler_names;
  const lotse_scheduler* policy = nullptr;  // lives until the worker has ended
};

struct Counters {
  uint64_t scheduled = 0, unschedulable = 0, bind_errors = 0, preemptions = 0;
  size_t pending = 0, active = 0, writes_in_flight = 0;
};

class Scheduler {
 public:
  Scheduler(store::Store& store, api::Handler& handler, Loop& loop, Loop& worker, std::vector<PolicySlot> policies,
            Settings settings = {});
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  Status start();
  void stop();
  // [loop] Others from now on. They are told of all that there is; what is with the old ones still counts. The old ones are called for the
  // last time by what the worker holds when this returns.
  void set_policies(std::vector<PolicySlot> policies);
  Counters counters() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::sched
