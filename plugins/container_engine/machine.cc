#include "plugins/container_engine/machine.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "plugins/container_engine/digest.h"

namespace lotse::container_engine {
namespace {

constexpr size_t kSocketPathMax = 90;  // containerd appends ".ttrpc", and 107 is the kernel's limit

bool has_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

// The only sure way to know is to mount one: below some filesystems (overlay itself, some network ones) it fails.
bool overlay_works(const std::string& data_dir) {
  std::string base = data_dir + "/overlay-probe";
  std::string lower = base + "/lower", upper = base + "/upper", work = base + "/work", merged = base + "/merged";
  mkdir(base.c_str(), 0700);
  for (auto& dir : {lower, upper, work, merged}) mkdir(dir.c_str(), 0700);
  std::string options = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work;
  bool works = mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) == 0;
  if (works) umount2(merged.c_str(), MNT_DETACH);
  rmdir((work + "/work").c_str());
  rmdir((work + "/index").c_str());
  for (auto& dir : {lower, upper, work, merged, base}) rmdir(dir.c_str());
  return works;
}

}  // namespace

HostAbilities probe_host(const std::string& data_dir) {
  return {can_lower_oom_score(), overlay_works(data_dir)};
}

bool can_lower_oom_score() {
  return has_capability(CAP_SYS_RESOURCE);
}

bool has_apparmor() {
  std::ifstream file("/sys/module/apparmor/parameters/enabled");
  char letter = 0;
  return file.get(letter) && letter == 'Y';
}

bool has_cgroup2() {
  return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

std::string short_socket_path(const std::string& dir, const std::string& name, size_t most) {
  std::string path = dir + "/" + name;
  if (path.size() <= std::min(most, kSocketPathMax)) return path;
  std::string shorter = "/run/lotse-" + sha256_hex(dir).substr(0, 12);
  mkdir(shorter.c_str(), 0700);
  return shorter + "/" + name;
}

std::string cni_bin_dir_of_machine() {
  for (const char* dir : {"/opt/cni/bin", "/usr/lib/cni"}) {
    if (access((std::string(dir) + "/loopback").c_str(), X_OK) == 0) return dir;
  }
  return "/usr/lib/cni";
}

}  // namespace lotse::container_engine
