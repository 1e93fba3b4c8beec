#include "plugins/runtime_containerd/managed_config.h"

#include <cstdio>

namespace lotse::runtime_containerd {
namespace {

// A TOML basic string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

std::string managed_config_toml(const Settings& s, const HostAbilities& abilities) {
  std::string snapshotter = !s.snapshotter.empty() ? s.snapshotter : abilities.overlayfs ? "overlayfs" : "native";
  auto yes = [](bool b) { return b ? "true" : "false"; };
  std::string out = "# Written by lotse at each start of containerd; changes are lost.\nversion = 2\n";
  out += "root = " + quoted(s.data_dir + "/root") + "\n";
  out += "state = " + quoted(s.run_dir + "/state") + "\n";
  out +=
      "disabled_plugins = [\"io.containerd.snapshotter.v1.aufs\", \"io.containerd.snapshotter.v1.devmapper\", "
      "\"io.containerd.internal.v1.tracing\", \"io.containerd.tracing.processor.v1.otlp\"]\n";
  out += "[grpc]\n  address = " + quoted(s.socket) + "\n";
  out += "[plugins.\"io.containerd.internal.v1.opt\"]\n  path = " + quoted(s.data_dir + "/opt") + "\n";
  out += "[plugins.\"io.containerd.grpc.v1.cri\"]\n";
  out += "  sandbox_image = " + quoted(s.pause_image) + "\n";
  out += std::string("  disable_apparmor = ") + yes(!s.machine.apparmor) + "\n";
  out += std::string("  restrict_oom_score_adj = ") + yes(!abilities.can_lower_oom_score) + "\n";
  out += "  stream_server_address = \"127.0.0.1\"\n  stream_server_port = \"0\"\n";
  out += "  enable_unprivileged_ports = true\n  enable_unprivileged_icmp = true\n";
  out += "  [plugins.\"io.containerd.grpc.v1.cri\".registry]\n    config_path = " + quoted(s.registries_dir()) + "\n";
  out += "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n";
  out += "    bin_dir = " + quoted(s.cni_bin_dir) + "\n    conf_dir = " + quoted(s.cni_conf_dir) + "\n";
  out += "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n    snapshotter = " + quoted(snapshotter) + "\n";
  out += "    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n";
  out += "      runtime_type = \"io.containerd.runc.v2\"\n";
  out += "      [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n";
  out += std::string("        SystemdCgroup = ") + yes(s.systemd_cgroup) + "\n";
  return out;
}

// Where it is insecure, plain HTTP is tried first: a server that wants TLS refuses that before any password is sent.
std::string hosts_toml(const PullSource& source, const std::string& ca_file) {
  if (source.ca.empty() && !source.insecure) return {};
  std::string host = source.registry == "docker.io" ? "registry-1.docker.io" : source.registry;
  std::string out = "# Written by lotse before each pull; changes are lost.\nserver = " + quoted("https://" + host) + "\n";
  if (!source.ca.empty()) out += "ca = " + quoted(ca_file) + "\n";
  if (source.insecure) {
    out += "skip_verify = true\n[host." + quoted("http://" + host) + "]\n  capabilities = [\"pull\", \"resolve\"]\n";
  }
  return out;
}

}  // namespace lotse::runtime_containerd
