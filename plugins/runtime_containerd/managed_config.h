// The configuration file of the containerd that we run ourselves.
#pragma once
#include <string>

#include "plugins/runtime_containerd/settings.h"

namespace lotse::runtime_containerd {

// What of the machine the file depends on; probed once.
struct HostAbilities {
  bool can_lower_oom_score = true;  // CAP_SYS_RESOURCE
  bool overlayfs = true;            // overlay can be mounted below the data directory
};

HostAbilities probe_host(const std::string& data_dir);
std::string managed_config_toml(const Settings& settings, const HostAbilities& abilities);

}  // namespace lotse::runtime_containerd
