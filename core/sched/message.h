// Why a pod could not be placed, in the sentence that kubectl describe shows.
#pragma once
#include <string>
#include <vector>

namespace lotse::sched {

struct NodeReason {
  std::string node, reason;
  bool resolvable = false;
};

// "0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods. preemption: 0/3 nodes are available: ..."
// never_preempts: preemptionPolicy Never.
std::string fit_message(const std::vector<NodeReason>& reasons, bool never_preempts);

}  // namespace lotse::sched
