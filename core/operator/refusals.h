// What each node says to a pod, by the filters of the default scheduler policy.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/operator/why.h"

namespace lotse::ops {

struct NodeAnswer {
  std::string node;
  std::vector<std::string> reasons;  // none: it would take the pod
};
// Nodes in the order of their names.
std::vector<NodeAnswer> ask_nodes(const Surroundings& surroundings);

}  // namespace lotse::ops
