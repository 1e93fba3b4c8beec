#include "plugins/runtime_podman/podman_dialect.h"

#include "plugins/container_engine/signal_name.h"
#include "plugins/engine_http/http_exchange.h"

namespace lotse::runtime_podman {
namespace {

// Keys that nobody presses one after the other: Podman would leave at ctrl-p ctrl-q.
constexpr char kDetachKeys[] = "ctrl-@,ctrl-_,ctrl-^,ctrl-]";
constexpr char kSeccompDir[] = "/var/lib/kubelet/seccomp/";

Msg map_of(const Texts& texts) {
  Msg out = Msg::map();
  for (auto& [key, value] : texts) out.set(key, value);
  return out;
}

Msg mode(const std::string& name, const std::string& value = "") {
  Msg out = Msg::map({{"nsmode", name}});
  if (!value.empty()) out.set("value", value);
  return out;
}

// As the OCI runtime's specification has it.
Msg limits_of(const Resources& r) {
  auto put = [](Msg& map, const char* key, int64_t value) {
    if (value != 0) map.set(key, value);
  };
  Msg memory = Msg::map(), cpu = Msg::map(), out = Msg::map();
  put(memory, "limit", r.memory_bytes);
  put(memory, "swap", r.swap_bytes);
  put(cpu, "shares", r.cpu_shares);
  put(cpu, "quota", r.cpu_quota_us);
  put(cpu, "period", r.cpu_period_us);
  if (!r.cpuset_cpus.empty()) cpu.set("cpus", r.cpuset_cpus);
  if (!memory.members().empty()) out.set("memory", memory);
  if (!cpu.members().empty()) out.set("cpu", cpu);
  if (r.pids > 0) out.set("pids", Msg::map({{"limit", r.pids}}));
  return out;
}

void put_namespaces(Msg& body, const ContainerSpec& spec) {
  if (spec.sandbox.empty()) {
    body.set("netns", mode(spec.host_network ? "host" : "none"));
    body.set("ipcns", mode(spec.host_ipc ? "host" : "shareable"));
    body.set("pidns", mode(spec.host_pid ? "host" : "private"));
    body.set("utsns", mode(spec.host_network ? "host" : "private"));
    return;
  }
  body.set("netns", mode("container", spec.sandbox));
  body.set("ipcns", mode("container", spec.sandbox));
  body.set("utsns", spec.host_network ? mode("host") : mode("container", spec.sandbox));
  if (spec.host_pid) {
    body.set("pidns", mode("host"));
  } else {
    body.set("pidns", spec.share_pid ? mode("container", spec.sandbox) : mode("private"));
  }
}

void put_security(Msg& body, const Security& s) {
  constexpr std::string_view kLocalhost = "Localhost:";
  body.set("privileged", s.privileged);
  body.set("read_only_filesystem", s.read_only_root);
  body.set("no_new_privileges", s.no_new_privileges);
  if (!s.user.empty()) body.set("user", s.user);
  if (!s.groups.empty()) body.set("groups", Msg::strings(s.groups));
  if (!s.add_capabilities.empty()) body.set("cap_add", Msg::strings(s.add_capabilities));
  if (!s.drop_capabilities.empty()) body.set("cap_drop", Msg::strings(s.drop_capabilities));
  if (s.seccomp.empty() || s.seccomp == "Unconfined") body.set("seccomp_profile_path", "unconfined");
  if (s.seccomp.starts_with(kLocalhost)) {
    std::string path = s.seccomp.substr(kLocalhost.size());
    body.set("seccomp_profile_path", path[0] == '/' ? path : kSeccompDir + path);
  }
  if (s.apparmor == "Unconfined") body.set("apparmor_profile", "unconfined");
  if (s.apparmor.starts_with(kLocalhost)) body.set("apparmor_profile", s.apparmor.substr(kLocalhost.size()));
  Msg labels = Msg::array();
  for (auto& [key, value] : s.selinux) labels.push(key + ":" + value);
  if (!labels.items().empty()) body.set("selinux_opts", std::move(labels));
  if (s.masked_paths.empty() && s.readonly_paths.empty()) {
    body.set("unmask", Msg::strings({"ALL"}));
  } else {
    body.set("mask", Msg::strings(s.masked_paths));
  }
}

Msg environment_of(const std::vector<std::string>& pairs) {
  Msg out = Msg::map();
  for (auto& pair : pairs) {
    size_t equals = pair.find('=');
    out.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return out;
}

ContainerFacts::State state_of(const std::string& status) {
  using State = ContainerFacts::State;
  if (status == "created" || status == "configured" || status == "initialized") return State::created;
  if (status == "running" || status == "paused" || status == "stopping") return State::running;
  if (status == "exited" || status == "stopped" || status == "removing") return State::exited;
  return State::unknown;
}

}  // namespace

ApiCall PodmanDialect::create(const ContainerSpec& spec) const {
  Msg log = Msg::map({{"driver", spec.log_path.empty() ? "none" : "k8s-file"}});
  if (!spec.log_path.empty()) log.set("path", spec.log_path);
  Msg body = Msg::map({{"name", spec.name},
                       {"image", spec.image},
                       {"env", environment_of(spec.env)},
                       {"labels", map_of(spec.labels)},
                       {"terminal", spec.tty},
                       {"stdin", spec.in},
                       {"cgroup_parent", spec.cgroup_parent},
                       {"log_configuration", log},
                       {"healthconfig", Msg::map({{"Test", Msg::strings({"NONE"})}})},
                       {"systemd", "false"},
                       {"image_volume_mode", "anonymous"}});
  if (!spec.command.empty()) body.set("entrypoint", Msg::strings(spec.command));
  if (!spec.args.empty()) body.set("command", Msg::strings(spec.args));
  if (!spec.working_dir.empty()) body.set("work_dir", spec.working_dir);
  if (int number = signal_number(spec.stop_signal); number != 0) body.set("stop_signal", number);
  if (spec.sandbox.empty() && !spec.host_network && !spec.hostname.empty()) body.set("hostname", spec.hostname);
  if (!spec.sysctls.empty()) body.set("sysctl", map_of(spec.sysctls));
  put_namespaces(body, spec);
  put_security(body, spec.security);
  if (Msg limits = limits_of(spec.resources); !limits.members().empty()) body.set("resource_limits", limits);
  if (spec.resources.oom_score_adj) body.set("oom_score_adj", *spec.resources.oom_score_adj);
  Msg mounts = Msg::array(), devices = Msg::array();
  for (auto& mount : spec.mounts) {
    Msg options = Msg::strings({"rbind", mount.propagation, mount.read_only ? "ro" : "rw"});
    mounts.push(Msg::map(
        {{"type", "bind"}, {"source", mount.source}, {"destination", mount.target}, {"options", std::move(options)}}));
  }
  for (auto& device : spec.devices) {
    devices.push(Msg::map({{"path", device.source + ":" + device.target + ":" + device.permissions}}));
  }
  body.set("mounts", std::move(mounts));
  if (!devices.items().empty()) body.set("devices", std::move(devices));
  return {"/containers/create", body};
}

ContainerFacts PodmanDialect::facts(const Json& c) const {
  ContainerFacts out;
  Json state = c["State"];
  out.id = c["Id"].text();
  out.labels = texts_of(c["Config"]["Labels"]);
  out.state = state_of(state["Status"].text());
  out.created = unix_ns_of(c["Created"].text());
  out.started = unix_ns_of(state["StartedAt"].text());
  out.error = state["Error"].text();
  if (out.state == ContainerFacts::State::exited) {
    out.finished = std::max(unix_ns_of(state["FinishedAt"].text()), out.started);
    out.exit_code = static_cast<int>(state["ExitCode"].number());
  }
  out.oom_killed = state["OOMKilled"].boolean();
  if (out.state == ContainerFacts::State::running) out.pid = static_cast<uint32_t>(state["Pid"].number());
  std::string image = c["Image"].text();
  out.image_id = image.find(':') == std::string::npos ? "sha256:" + image : image;
  out.resolv_conf_file = c["ResolvConfPath"].text();
  out.log_file = label_of(out.labels, mark::kLogPath);
  out.bundle = c["StaticDir"].text();
  out.tty = c["Config"]["Tty"].boolean();
  return out;
}

std::string PodmanDialect::stop_path(const std::string& id, int64_t seconds) const {
  return "/containers/" + id + "/stop?timeout=" + std::to_string(seconds);
}

std::string PodmanDialect::remove_path(const std::string& id) const {
  return "/containers/" + id + "?force=true&v=true";
}

std::string PodmanDialect::wait_path(const std::string& id) const {
  return "/containers/" + id + "/wait";
}

ApiCall PodmanDialect::update(const std::string& id, const Resources& resources) const {
  return {"/containers/" + id + "/update", limits_of(resources)};
}

std::string PodmanDialect::events_path(const std::string& owner, int64_t since) const {
  Msg filters = Msg::map(
      {{"type", Msg::strings({"container"})}, {"label", Msg::strings({std::string(mark::kOwner) + "=" + owner})}});
  return "/events?stream=true&since=" + std::to_string(since / 1'000'000'000) +
         "&filters=" + percent_encode(json_text(filters));
}

std::optional<EngineEvent> PodmanDialect::event(const Json& line) const {
  using Kind = EngineEvent::Kind;
  static const std::map<std::string, Kind> kinds = {{"create", Kind::created}, {"start", Kind::started},
                                                    {"died", Kind::exited},    {"remove", Kind::removed},
                                                    {"oom", Kind::oom},        {"exec_died", Kind::exec_exited}};
  auto kind = kinds.find(line["Action"].text());
  if (line["Type"].text() != "container" || kind == kinds.end()) return std::nullopt;
  EngineEvent out;
  out.kind = kind->second;
  out.id = line["Actor"]["ID"].text();
  out.labels = texts_of(line["Actor"]["Attributes"]);
  out.time = line["timeNano"].number();
  return out;
}

std::string PodmanDialect::exec_path(const std::string& id) const {
  return "/containers/" + id + "/exec";
}

Msg PodmanDialect::exec_body(const std::vector<std::string>& command, bool in, bool out, bool err, bool tty) const {
  Msg body = Msg::map({{"Cmd", Msg::strings(command)},
                       {"AttachStdin", in},
                       {"AttachStdout", out},
                       {"AttachStderr", err},
                       {"Tty", tty},
                       {"DetachKeys", kDetachKeys}});
  if (tty) body.set("Env", Msg::strings({"TERM=xterm"}));
  return body;
}

std::string PodmanDialect::pull_path(const PullSource& source) const {
  // On loopback plain HTTP will do, as with Docker and containerd.
  bool loopback =
      source.registry.starts_with("127.") || source.registry.substr(0, source.registry.find(':')) == "localhost";
  bool unverified = source.insecure || (loopback && source.ca.empty());
  return "/images/pull?reference=" + percent_encode(source.name) + (unverified ? "&tlsVerify=false" : "");
}

}  // namespace lotse::runtime_podman
