// The rules for which node is fit for which pod, as plainly as they can be written down: no index, nothing remembered.
// What a policy answers is held against this.
#pragma once
#include <string>
#include <vector>

#include "model.h"

namespace lotse::check::scheduler {

// What there is: nodes, and pods that are on them.
struct ModelCluster {
  std::vector<ModelNode> nodes;
  std::vector<ModelPod> pods;
  const ModelNode* node(const std::string& name) const;
  const ModelPod* pod(const std::string& uid) const;
};

// Why the pod may not run on the node; empty: it may.
std::string unfit(const ModelCluster& cluster, const ModelPod& pod, const ModelNode& node);

// Clusters and pods in all variety, the same for the same seed.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t roll(uint64_t sides);
  bool one_in(uint64_t sides) { return roll(sides) == 0; }

 private:
  uint64_t state_;
};
ModelNode random_node(Dice& dice, int number);
ModelPod random_pod(Dice& dice, int number);

}  // namespace lotse::check::scheduler
