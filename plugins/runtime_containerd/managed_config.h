// The configuration file of the containerd that we run ourselves.
#pragma once
#include <string>

#include "plugins/container_engine/machine.h"
#include "plugins/container_engine/pull_source.h"
#include "plugins/runtime_containerd/names.h"
#include "plugins/runtime_containerd/settings.h"

namespace lotse::runtime_containerd {

std::string managed_config_toml(const Settings& settings, const HostAbilities& abilities);
// How containerd reaches one registry; empty: as it would anyway.
std::string hosts_toml(const PullSource& source, const std::string& ca_file);

}  // namespace lotse::runtime_containerd
