// What "stats" answers: upstream's stats/summary from the runtime's figures. Pure but for the node's own figures.
#pragma once
#include <vector>

#include "core/agent/node_facts.h"
#include "core/agent/pod_worker.h"

namespace lotse::agent {

json::Value stats_summary(const Config& config, const NodeFacts& facts, const std::vector<const PodWorker*>& pods, const MsgValue& stats, WallTime now);

}  // namespace lotse::agent
