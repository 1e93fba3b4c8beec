#include "plugins/runtime_containerd/settings.h"

#include "plugins/container_engine/digest.h"
#include "plugins/container_engine/machine.h"

namespace lotse::runtime_containerd {
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
  if (s.cni_bin_dir.empty()) s.cni_bin_dir = cni_bin_dir_of_machine();
  s.machine.owner = sha256_hex(host.daemon_dir() + "\n" + host.node_name()).substr(0, 16);
  s.machine.apparmor = has_apparmor();
  s.machine.cgroup2 = has_cgroup2();
  return s;
}

}  // namespace lotse::runtime_containerd
