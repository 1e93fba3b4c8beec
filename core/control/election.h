// Election: which master's controllers and scheduler work. Where a store is this process's own (lmdb, memory) nothing is elected: it leads
// at once and for good. Where masters share one (etcd) they compete for the Lease kube-system/lotse-master, as upstream's do: the holder
// renews it, the others watch it and take it when it has not changed for its duration. Nobody polls.
//
// The Lease alone decides nothing, as it depends on clocks. Whoever has taken it writes the fence (core/api/fence.h), guarded by the Lease's
// revision; the fence's revision guards every commit of the leader's requests.
//
// One lease for controllers and scheduler: they share a process, a ring and a loop, so they live and die together.
//
// Threads: everything on the loop.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/api/request.h"
#include "core/base/loop.h"
#include "core/store/store.h"

namespace lotse::control {

inline constexpr const char* kLeaseNamespace = "kube-system";
inline constexpr const char* kLeaderLease = "lotse-master";

struct ElectionSettings {
  // Of this master and no other, and the same after a restart: then the holder that died was ourselves, and there is nothing to wait for.
  std::string identity;
  Duration duration = std::chrono::seconds(15);  // without a renewal, until others take it
  Duration renew = std::chrono::seconds(5);
  Duration give_up = std::chrono::seconds(10);   // of a leader that cannot renew; below `duration`
  Duration retry = std::chrono::seconds(1);
};

class Election {
 public:
  struct Events {
    std::function<void(uint64_t fence)> gained;  // 0: nobody else can be there, no guard is needed
    std::function<void()> lost;
  };
  Election(store::Store& store, api::Handler& handler, Loop& loop, ElectionSettings settings, Events events);
  ~Election();
  Status start();
  // Leads no more (`lost` is called before) and gives the Lease back, so that another takes over at once. done: it was given back, or could
  // not be.
  void stop(std::function<void()> done);
  bool leads() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::control
