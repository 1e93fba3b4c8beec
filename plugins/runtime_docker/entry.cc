#include "lotse/plugin.hpp"
#include "plugins/runtime_docker/runtime.h"

LOTSE_PLUGIN(runtime, "docker", "0.1.0", 1, "containers by Docker", lotse::runtime_docker::DockerRuntime)
