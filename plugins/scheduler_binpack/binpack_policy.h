// The binpack policy: the fullest node that still fits, so that others stay empty and can be taken away.
#pragma once
#include <vector>

#include "lotse/scheduling/plugin.hpp"

namespace lotse::scheduler_binpack {

class BinpackPolicy : public scheduling::PolicyPlugin {
 public:
  BinpackPolicy(const sdk::Host& host, const sdk::Config& config);
  static std::vector<lotse_key> keys();
};

// The same filters as the default policy; scored by what is taken, and not spread by owner.
scheduling::Profile binpack_profile();

}  // namespace lotse::scheduler_binpack
