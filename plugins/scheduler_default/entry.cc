#include "plugins/scheduler_default/default_policy.h"

LOTSE_PLUGIN(scheduler, "default", "0.1.0", 0, "spreads pods over the nodes as Kubernetes' default scheduler does",
             lotse::scheduler_default::DefaultPolicy)
