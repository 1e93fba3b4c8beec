#include "plugins/scheduler_default/default_policy.h"

namespace lotse::scheduler_default {
namespace {
scheduling::Profile profile(const sdk::Config& config) {
  scheduling::Profile p = scheduling::default_profile();
  p.owner_spread = config.boolean("owner_spread");
  p.preemption = config.boolean("preemption");
  return p;
}
}  // namespace

DefaultPolicy::DefaultPolicy(const sdk::Host& host, const sdk::Config& config) : PolicyPlugin(host, profile(config)) {}

std::vector<lotse_key> DefaultPolicy::keys() {
  return {
      sdk::Key::boolean("owner_spread",
                        "spread pods without constraints of their own over nodes and zones, by their owner")
          .fallback("true"),
      sdk::Key::boolean("preemption", "evict less important pods for a pod that fits nowhere else").fallback("true"),
  };
}

}  // namespace lotse::scheduler_default
