#include "plugins/runtime_docker/settings.h"

#include <algorithm>
#include <filesystem>

#include "plugins/container_engine/digest.h"
#include "plugins/container_engine/json.h"
#include "plugins/container_engine/process_file.h"
#include "plugins/runtime_docker/docker_dialect.h"

namespace lotse::runtime_docker {

std::vector<lotse_key> Settings::keys() {
  using sdk::Key;
  return {
      Key::text("mode", "managed: a dockerd of our own; external: the machine's")
          .choices("managed|external")
          .fallback("managed"),
      Key::text("socket", "external: the path of Docker's socket").fallback("/run/docker.sock"),
      Key::text("dockerd", "managed: the program, as a path or a name looked up in PATH").fallback("dockerd"),
      Key::text("containerd", "managed: the program of dockerd's containerd, likewise").fallback("containerd"),
      Key::text("storage_driver",
                "managed: how layers are stored; auto takes overlay2 where the kernel allows it, else vfs")
          .choices("auto|overlay2|vfs|fuse-overlayfs|btrfs|zfs")
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
  s.dockerd = text("dockerd", "dockerd");
  s.containerd = text("containerd", "containerd");
  s.storage_driver = config.text("storage_driver");
  if (s.storage_driver == "auto") s.storage_driver.clear();
  s.systemd_cgroup = config.text("cgroup_driver") == "systemd";
  auto& e = s.engine;
  e.name = "docker";
  e.prefix = kApiPrefix;
  e.data_dir = host.data_dir();
  e.run_dir = host.run_dir();
  e.socket = s.managed ? short_socket_path(e.run_dir, "docker.sock") : config.text("socket");
  if (e.socket.empty()) throw sdk::Failure(LOTSE_INVALID, "mode = \"external\" needs socket");
  s.containerd_socket = short_socket_path(e.run_dir, "dc.sock");
  e.pause_image = text("pause_image", "lotse.local/pause:1");
  e.cni_bin_dir = text("cni_bin_dir", "");
  if (e.cni_bin_dir.empty()) e.cni_bin_dir = cni_bin_dir_of_machine();
  e.machine.owner = sha256_hex(host.daemon_dir() + "\n" + host.node_name()).substr(0, 16);
  e.machine.apparmor = has_apparmor();
  e.machine.can_lower_oom_score = can_lower_oom_score();
  e.machine.oom_score_adj = atoi(read_small_file("/proc/self/oom_score_adj").value_or("0").c_str());
  return s;
}

// Nothing of the machine's network is touched, and containers live on while dockerd is away.
std::string dockerd_json(const Settings& s, const HostAbilities& abilities, const std::vector<std::string>& insecure) {
  using sdk::Msg;
  std::string driver = !s.storage_driver.empty() ? s.storage_driver : abilities.overlayfs ? "overlay2" : "vfs";
  std::string cgroups = s.systemd_cgroup ? "systemd" : "cgroupfs";
  return json_text(Msg::map({{"data-root", s.engine.data_dir + "/root"},
                             {"exec-root", s.engine.run_dir + "/exec"},
                             {"pidfile", s.engine.run_dir + "/dockerd.own.pid"},
                             {"hosts", Msg::strings({"unix://" + s.engine.socket})},
                             {"containerd", s.containerd_socket},
                             {"storage-driver", driver},
                             {"exec-opts", Msg::strings({"native.cgroupdriver=" + cgroups})},
                             {"bridge", "none"},
                             {"iptables", false},
                             {"ip6tables", false},
                             {"ip-forward", false},
                             {"ip-masq", false},
                             {"userland-proxy", false},
                             {"live-restore", true},
                             {"insecure-registries", Msg::strings(insecure)},
                             {"log-driver", "json-file"},
                             {"log-level", "warn"}})) +
         "\n";
}

std::vector<std::string> insecure_registries(const Settings& s) {
  constexpr std::string_view kEnding = ".insecure";
  std::vector<std::string> out;
  std::error_code error;
  for (auto& entry : std::filesystem::directory_iterator(s.trust_dir(), error)) {
    std::string name = entry.path().filename();
    if (name.ends_with(kEnding)) out.push_back(name.substr(0, name.size() - kEnding.size()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string containerd_toml(const Settings& s) {
  // A JSON string is a TOML string as well.
  auto quoted = [](const std::string& text) { return json_text(sdk::Msg(text)); };
  return "# Written by lotse at each start of containerd; changes are lost.\nversion = 2\nroot = " +
         quoted(s.engine.data_dir + "/containerd-root") +
         "\nstate = " + quoted(s.engine.run_dir + "/containerd-state") +
         "\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.snapshotter.v1.aufs\", "
         "\"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.internal.v1.tracing\", "
         "\"io.containerd.tracing.processor.v1.otlp\"]\n[grpc]\n  address = " +
         quoted(s.containerd_socket) +
         "\n[plugins.\"io.containerd.internal.v1.opt\"]\n  path = " + quoted(s.engine.data_dir + "/opt") + "\n";
}

}  // namespace lotse::runtime_docker
