#include "lotse/plugin.hpp"
#include "plugins/runtime_podman/runtime.h"

LOTSE_PLUGIN(runtime, "podman", "0.1.0", 1, "containers by Podman", lotse::runtime_podman::PodmanRuntime)
