#include "plugins/runtime_podman/settings.h"

#include "plugins/container_engine/digest.h"
#include "plugins/container_engine/json.h"
#include "plugins/container_engine/process_file.h"
#include "plugins/runtime_podman/podman_dialect.h"

namespace lotse::runtime_podman {

std::vector<lotse_key> Settings::keys() {
  using sdk::Key;
  return {
      Key::text("mode", "managed: a Podman service of our own; external: the machine's")
          .choices("managed|external")
          .fallback("managed"),
      Key::text("socket", "external: the path of Podman's socket").fallback("/run/podman/podman.sock"),
      Key::text("podman", "managed: the program, as a path or a name looked up in PATH").fallback("podman"),
      Key::text("oci_runtime", "managed: what makes containers").fallback("runc"),
      Key::text("storage_driver",
                "managed: how layers are stored; auto takes overlay where the kernel allows it, else vfs")
          .choices("auto|overlay|vfs|btrfs|zfs")
          .fallback("auto"),
      Key::text("cgroup_driver", "managed: who makes cgroups").choices("cgroupfs|systemd").fallback("cgroupfs"),
      Key::text("pause_image", "the image that holds a sandbox's namespaces").fallback("lotse.local/pause:1"),
      Key::text("cni_bin_dir", "the directory of CNI's programs; empty: /opt/cni/bin or /usr/lib/cni"),
  };
}

Settings Settings::read(const sdk::Host& host, const sdk::Config& config) {
  auto text = [&](const char* key, const char* otherwise) {
    std::string value = config.text(key);
    return value.empty() ? std::string(otherwise) : value;
  };
  Settings s;
  s.managed = config.text("mode") != "external";
  s.podman = text("podman", "podman");
  s.oci_runtime = text("oci_runtime", "runc");
  s.storage_driver = config.text("storage_driver");
  if (s.storage_driver == "auto") s.storage_driver.clear();
  s.systemd_cgroup = config.text("cgroup_driver") == "systemd";
  auto& e = s.engine;
  e.name = "podman";
  e.prefix = kApiPrefix;
  e.data_dir = host.data_dir();
  e.run_dir = host.run_dir();
  // Podman takes no longer one than 50 characters; the socket lies beside it.
  constexpr size_t kRunRootMax = 50;
  if (s.managed) {
    s.run_root = short_socket_path(e.run_dir, "state", kRunRootMax);
    e.socket = short_socket_path(s.run_root.substr(0, s.run_root.rfind('/')), "podman.sock");
  } else {
    e.socket = config.text("socket");
  }
  if (e.socket.empty()) throw sdk::Failure(LOTSE_INVALID, "mode = \"external\" needs socket");
  e.pause_image = text("pause_image", "lotse.local/pause:1");
  e.cni_bin_dir = text("cni_bin_dir", "");
  if (e.cni_bin_dir.empty()) e.cni_bin_dir = cni_bin_dir_of_machine();
  e.machine.owner = sha256_hex(host.daemon_dir() + "\n" + host.node_name()).substr(0, 16);
  e.machine.apparmor = has_apparmor();
  e.machine.can_lower_oom_score = can_lower_oom_score();
  e.machine.oom_score_adj = atoi(read_small_file("/proc/self/oom_score_adj").value_or("0").c_str());
  return s;
}

// Podman's default limits can only be set by who may raise them.
std::string containers_conf(const Settings& s, const HostAbilities& abilities) {
  auto quoted = [](const std::string& text) { return json_text(sdk::Msg(text)); };  // a JSON string is a TOML string
  std::string out = "# Written by lotse at each start of Podman; changes are lost.\n[engine]\n";
  out += "cgroup_manager = " + quoted(s.systemd_cgroup ? "systemd" : "cgroupfs") + "\n";
  // An exec's conmon stays on for so many seconds after its end, five minutes by default, so that its exit code is
  // found.
  out += "exit_command_delay = 5\n";
  out += "events_logger = \"file\"\nruntime = " + quoted(s.oci_runtime) + "\n";
  out += "[network]\nnetwork_config_dir = " + quoted(s.engine.data_dir + "/net") + "\n";
  out += "[containers]\nlog_driver = \"k8s-file\"\n";
  if (!abilities.can_lower_oom_score) out += "default_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n";
  return out;
}

std::vector<std::string> service_command(const Settings& s, const HostAbilities& abilities) {
  std::string driver = !s.storage_driver.empty() ? s.storage_driver : abilities.overlayfs ? "overlay" : "vfs";
  return {"/usr/bin/env",
          "CONTAINERS_CONF=" + s.engine.data_dir + "/containers.conf",
          "HOME=" + s.home(),
          s.podman,
          "--root",
          s.engine.data_dir + "/root",
          "--runroot",
          s.run_root,
          "--tmpdir",
          s.engine.run_dir + "/tmp",
          "--storage-driver",
          driver,
          "system",
          "service",
          "--time",
          "0",
          "unix://" + s.engine.socket};
}

}  // namespace lotse::runtime_podman
