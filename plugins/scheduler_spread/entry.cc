#include "plugins/scheduler_spread/spread_policy.h"

LOTSE_PLUGIN(scheduler, "spread", "0.1.0", 0, "spreads pods that belong together over zones and nodes before all else",
             lotse::scheduler_spread::SpreadPolicy)
