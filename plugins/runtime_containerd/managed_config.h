// The configuration file of the containerd that we run ourselves.
#pragma once
#include <string>

#include "plugins/container_engine/machine.h"
#include "plugins/runtime_containerd/names.h"
#include "plugins/runtime_containerd/settings.h"

namespace lotse::runtime_containerd {

std::string managed_config_toml(const Settings& settings, const HostAbilities& abilities);

}  // namespace lotse::runtime_containerd
