// The rules of abi/scheduler_claim.h, as plainly as they can be written down.
#pragma once
#include "reference.h"

namespace lotse::check::scheduler {

bool knows_rule(const std::string& rule);
// Without what the rules say nothing about.
ModelNode plain(ModelNode node);
ModelPod plain(ModelPod pod, const std::string& rule);
// The fit nodes that come first, all equal.
std::vector<std::string> first_by(const std::string& rule, const ModelCluster& cluster, const ModelPod& pod);

}  // namespace lotse::check::scheduler
