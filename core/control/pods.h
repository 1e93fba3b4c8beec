// What controllers ask of a pod.
#pragma once
#include <string>
#include <unordered_map>

#include "core/object/object.h"

namespace lotse::control {

struct PodFacts {
  std::string phase;
  bool terminating = false, ready = false;
  WallTime ready_since{};
  WallTime created{};
  std::string node;
  int64_t restarts = 0;  // of the container that was restarted most often
  int64_t deletion_cost = 0;
  bool finished() const { return phase == "Succeeded" || phase == "Failed"; }
  bool active() const { return !finished() && !terminating; }
  // Ready for min_ready already. If only time is missing, *wait (if given) is lowered to how much.
  bool available(Duration min_ready, WallTime now, Duration* wait) const;
};

PodFacts pod_facts(const Object& pod);

// Facts of pods, computed once a revision.
class PodFactsCache {
 public:
  const PodFacts& of(const Object& pod);
  void forget(const std::string& uid) { known_.erase(uid); }

 private:
  struct Known {
    uint64_t revision = 0;
    PodFacts facts;
  };
  std::unordered_map<std::string, Known> known_;
};

inline constexpr Duration kNever = Duration::max();

}  // namespace lotse::control
