// The default policy: what Kubernetes' default scheduler does, with resources left over scoring high.
#pragma once
#include <vector>

#include "lotse/scheduling/plugin.hpp"

namespace lotse::scheduler_default {

class DefaultPolicy : public scheduling::PolicyPlugin {
 public:
  DefaultPolicy(const sdk::Host& host, const sdk::Config& config);
  static std::vector<lotse_key> keys();
};

}  // namespace lotse::scheduler_default
