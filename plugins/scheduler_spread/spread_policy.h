// The spread policy: pods that belong together lie as far apart as they can, and load is even among what is left.
#pragma once
#include <vector>

#include "lotse/scheduling/plugin.hpp"

namespace lotse::scheduler_spread {

class SpreadPolicy : public scheduling::PolicyPlugin {
 public:
  SpreadPolicy(const sdk::Host& host, const sdk::Config& config);
  static std::vector<lotse_key> keys();
};

// The same filters as the default policy. What a pod asks for outweighs evenness, and evenness outweighs load.
scheduling::Profile spread_profile();

}  // namespace lotse::scheduler_spread
