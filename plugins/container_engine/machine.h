// What of the machine the runtime plugins depend on.
#pragma once
#include <cstdint>
#include <string>

namespace lotse::container_engine {

// Probed once; overlay is tried by mounting one below the data directory.
struct HostAbilities {
  bool can_lower_oom_score = true;  // CAP_SYS_RESOURCE
  bool overlayfs = true;            // overlay can be mounted below the data directory
};

HostAbilities probe_host(const std::string& data_dir);
bool can_lower_oom_score();
bool has_apparmor();
bool has_cgroup2();  // alone; false where version 1 is in use too

// A path that fits into a socket's address, below `dir` if that is short enough.
std::string short_socket_path(const std::string& dir, const std::string& name, size_t most = SIZE_MAX);

// Where CNI's programs lie: /opt/cni/bin, or where Debian puts them.
std::string cni_bin_dir_of_machine();

}  // namespace lotse::container_engine
