// What pods leave on the node: volumes that are mounted, their directories, their cgroups. For a node that leaves the
// cluster; an agent that goes on clears up pod by pod. [worker]
#pragma once
#include "core/agent/agent.h"
#include "core/base/result.h"

namespace lotse::agent {

// After the agent has stopped and the runtime has ended all sandboxes. Goes on after a failure, and tells the last.
Status clear_up(const Config& config);

}  // namespace lotse::agent
