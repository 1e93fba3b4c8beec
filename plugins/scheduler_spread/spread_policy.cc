#include "plugins/scheduler_spread/spread_policy.h"

namespace lotse::scheduler_spread {
namespace {
// Three levels, each above all that the one below can add up to: load is at most 100, evenness kEvenMax.
constexpr int64_t kEven = 1000;
constexpr int64_t kWish = kEven * (scheduling::kEvenMax + 1);

scheduling::Profile configured(const sdk::Config& config) {
  scheduling::Profile p = spread_profile();
  p.preemption = config.boolean("preemption");
  return p;
}
}  // namespace

scheduling::Profile spread_profile() {
  using namespace scheduling;
  Profile p;
  p.scores = {{1, Normalise::kNone, least_allocated},
              {3 * kWish, Normalise::kReversed, preferred_taints},
              {2 * kWish, Normalise::kByMax, preferred_node_affinity}};
  p.spread_weight = p.affinity_weight = 2 * kWish;
  p.even_weight = kEven;
  p.owner_spread = false;  // EvenScore does that
  p.claim = "even";
  return p;
}

SpreadPolicy::SpreadPolicy(const sdk::Host& host, const sdk::Config& config)
    : PolicyPlugin(host, configured(config)) {}

std::vector<lotse_key> SpreadPolicy::keys() {
  return {
      sdk::Key::boolean("preemption", "evict less important pods for a pod that fits nowhere else").fallback("true")};
}

}  // namespace lotse::scheduler_spread
