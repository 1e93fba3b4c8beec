#include "plugins/scheduler_binpack/binpack_policy.h"

LOTSE_PLUGIN(scheduler, "binpack", "0.1.0", 0, "fills nodes up one after the other",
             lotse::scheduler_binpack::BinpackPolicy)
