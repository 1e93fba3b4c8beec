#include "plugins/runtime_containerd/settings.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "plugins/runtime_containerd/digest.h"

namespace lotse::runtime_containerd {
namespace {

constexpr size_t kSocketPathMax = 90;  // containerd appends ".ttrpc", and 107 is the kernel's limit

bool first_letter_is(const char* path, char wanted) {
  std::ifstream file(path);
  char letter = 0;
  return file.get(letter) && letter == wanted;
}

std::string directory_of_plugins() {
  for (const char* dir : {"/opt/cni/bin", "/usr/lib/cni"}) {
    if (access((std::string(dir) + "/loopback").c_str(), X_OK) == 0) return dir;
  }
  return "/usr/lib/cni";
}

}  // namespace

std::string short_socket_path(const std::string& dir, const std::string& name) {
  std::string path = dir + "/" + name;
  if (path.size() <= kSocketPathMax) return path;
  std::string shorter = "/run/lotse-" + sha256_hex(dir).substr(0, 12);
  mkdir(shorter.c_str(), 0700);
  return shorter + "/" + name;
}

std::vector<lotse_key> Settings::keys() {
  using sdk::Key;
  return {
      Key::text("mode", "managed: a containerd of our own; external: the machine's")
          .choices("managed|external")
          .fallback("managed"),
      Key::text("socket", "external: the path of containerd's socket").fallback("/run/containerd/containerd.sock"),
      Key::text("containerd", "managed: the program, as a path or a name looked up in PATH").fallback("containerd"),
      Key::text("snapshotter", "how layers are stored; auto takes overlayfs where the kernel allows it, else native")
          .choices("auto|overlayfs|native|fuse-overlayfs|btrfs|zfs")
          .fallback("auto"),
      Key::text("cgroup_driver", "who makes cgroups").choices("cgroupfs|systemd").fallback("cgroupfs"),
      Key::text("pause_image", "the image that holds a sandbox's namespaces").fallback("lotse.local/pause:1"),
      Key::text("cni_conf_dir",
                "the directory where containerd looks for CNI lists; managed: empty is one of our own; external: empty "
                "leaves the network to the machine's administrator"),
      Key::text("cni_bin_dir", "managed: the directory of CNI's programs; empty: /opt/cni/bin or /usr/lib/cni"),
  };
}

Settings Settings::read(const sdk::Host& host, const sdk::Config& config) {
  Settings s;
  s.managed = config.text("mode") != "external";
  s.data_dir = host.data_dir();
  s.run_dir = host.run_dir();
  s.socket = s.managed ? short_socket_path(s.run_dir, "containerd.sock") : config.text("socket");
  if (s.socket.empty()) throw sdk::Failure(LOTSE_INVALID, "mode = \"external\" needs socket");
  s.containerd = config.text("containerd");
  if (s.containerd.empty()) s.containerd = "containerd";
  s.snapshotter = config.text("snapshotter");
  if (s.snapshotter == "auto") s.snapshotter.clear();
  s.systemd_cgroup = config.text("cgroup_driver") == "systemd";
  s.pause_image = config.text("pause_image");
  if (s.pause_image.empty()) s.pause_image = "lotse.local/pause:1";
  s.cni_conf_dir = config.text("cni_conf_dir");
  if (s.managed && s.cni_conf_dir.empty()) s.cni_conf_dir = s.data_dir + "/cni";
  s.cni_bin_dir = config.text("cni_bin_dir");
  if (s.cni_bin_dir.empty()) s.cni_bin_dir = directory_of_plugins();
  s.machine.owner = sha256_hex(host.daemon_dir() + "\n" + host.node_name()).substr(0, 16);
  s.machine.apparmor = first_letter_is("/sys/module/apparmor/parameters/enabled", 'Y');
  s.machine.cgroup2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
  return s;
}

}  // namespace lotse::runtime_containerd
