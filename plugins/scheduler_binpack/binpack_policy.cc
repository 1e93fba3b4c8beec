#include "plugins/scheduler_binpack/binpack_policy.h"

namespace lotse::scheduler_binpack {
namespace {
scheduling::Profile configured(const sdk::Config& config) {
  scheduling::Profile p = binpack_profile();
  p.preemption = config.boolean("preemption");
  return p;
}
}  // namespace

scheduling::Profile binpack_profile() {
  using namespace scheduling;
  Profile p;
  // What is taken outweighs all that pods merely prefer, except node affinity.
  p.scores = {{5, Normalise::kNone, most_allocated},
              {1, Normalise::kNone, image_locality},
              {3, Normalise::kReversed, preferred_taints},
              {2, Normalise::kByMax, preferred_node_affinity}};
  p.owner_spread = false;
  p.claim = "fullest";
  return p;
}

BinpackPolicy::BinpackPolicy(const sdk::Host& host, const sdk::Config& config)
    : PolicyPlugin(host, configured(config)) {}

std::vector<lotse_key> BinpackPolicy::keys() {
  return {
      sdk::Key::boolean("preemption", "evict less important pods for a pod that fits nowhere else").fallback("true")};
}

}  // namespace lotse::scheduler_binpack
