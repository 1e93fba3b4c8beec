#include "plugins/runtime_hollow/runtime.h"

LOTSE_PLUGIN(runtime, "hollow", "0.1.0", 0, "pods without containers, for tests of size",
             lotse::runtime_hollow::HollowRuntime)
