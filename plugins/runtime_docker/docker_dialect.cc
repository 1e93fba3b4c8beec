#include "plugins/runtime_docker/docker_dialect.h"

#include "plugins/container_engine/process_file.h"
#include "plugins/engine_http/http_exchange.h"

namespace lotse::runtime_docker {
namespace {

// Keys that nobody presses one after the other: Docker would leave at ctrl-p ctrl-q.
constexpr char kDetachKeys[] = "ctrl-@,ctrl-_,ctrl-^,ctrl-]";
constexpr char kSeccompDir[] = "/var/lib/kubelet/seccomp/";

Msg map_of(const Texts& texts) {
  Msg out = Msg::map();
  for (auto& [key, value] : texts) out.set(key, value);
  return out;
}

// "seccomp=" takes a profile's text.
std::string seccomp_option(const std::string& profile) {
  constexpr std::string_view kLocalhost = "Localhost:";
  if (profile.empty() || profile == "Unconfined") return "seccomp=unconfined";
  if (!profile.starts_with(kLocalhost)) return {};  // the engine's default
  std::string path = profile.substr(kLocalhost.size());
  if (path[0] != '/') path = kSeccompDir + path;
  auto text = container_engine::read_small_file(path);
  if (!text) throw sdk::Failure(LOTSE_INVALID, "cannot read the seccomp profile " + path);
  return "seccomp=" + *text;
}

Msg security_options(const Security& security) {
  Msg out = Msg::array();
  if (auto text = seccomp_option(security.seccomp); !text.empty()) out.push(text);
  if (security.apparmor == "Unconfined") out.push("apparmor=unconfined");
  if (security.apparmor.starts_with("Localhost:")) out.push("apparmor=" + security.apparmor.substr(10));
  if (security.no_new_privileges) out.push("no-new-privileges");
  for (auto& [key, value] : security.selinux) out.push("label=" + key + ":" + value);
  return out;
}

void put_resources(Msg& host, const Resources& r) {
  auto put = [&](const char* key, int64_t value) {
    if (value != 0) host.set(key, value);
  };
  put("CpuShares", r.cpu_shares);
  put("CpuQuota", r.cpu_quota_us);
  put("CpuPeriod", r.cpu_period_us);
  put("Memory", r.memory_bytes);
  put("MemorySwap", r.swap_bytes);
  put("PidsLimit", r.pids);
  if (!r.cpuset_cpus.empty()) host.set("CpusetCpus", r.cpuset_cpus);
}

void put_namespaces(Msg& host, const ContainerSpec& spec) {
  if (spec.sandbox.empty()) {
    host.set("NetworkMode", spec.host_network ? "host" : "none");
    host.set("IpcMode", spec.host_ipc ? "host" : "shareable");
    if (spec.host_pid) host.set("PidMode", "host");
    return;
  }
  std::string sandbox = "container:" + spec.sandbox;
  host.set("NetworkMode", sandbox);
  host.set("IpcMode", sandbox);
  if (spec.host_pid) host.set("PidMode", "host");
  if (!spec.host_pid && spec.share_pid) host.set("PidMode", sandbox);
  if (spec.host_network) host.set("UTSMode", "host");
}

// Docker must not cut off what the relay has not taken yet, whatever its own configuration says: the relay frees it.
Msg log_config(bool wanted) {
  if (!wanted) return Msg::map({{"Type", "none"}});
  return Msg::map(
      {{"Type", "json-file"},
       {"Config", Msg::map({{"max-size", "1000p"}, {"max-file", "1"}, {"compress", "false"}, {"mode", "blocking"}})}});
}

Msg host_config(const ContainerSpec& spec) {
  Msg host = Msg::map({{"CgroupParent", spec.cgroup_parent},
                       {"SecurityOpt", security_options(spec.security)},
                       {"Privileged", spec.security.privileged},
                       {"ReadonlyRootfs", spec.security.read_only_root},
                       {"CapAdd", Msg::strings(spec.security.add_capabilities)},
                       {"CapDrop", Msg::strings(spec.security.drop_capabilities)},
                       {"GroupAdd", Msg::strings(spec.security.groups)},
                       {"MaskedPaths", Msg::strings(spec.security.masked_paths)},
                       {"ReadonlyPaths", Msg::strings(spec.security.readonly_paths)},
                       {"RestartPolicy", Msg::map({{"Name", "no"}})},
                       {"LogConfig", log_config(!spec.log_path.empty())}});
  put_namespaces(host, spec);
  put_resources(host, spec.resources);
  if (spec.resources.oom_score_adj) host.set("OomScoreAdj", *spec.resources.oom_score_adj);
  if (!spec.sysctls.empty()) host.set("Sysctls", map_of(spec.sysctls));
  Msg mounts = Msg::array(), devices = Msg::array();
  for (auto& mount : spec.mounts) {
    mounts.push(Msg::map({{"Type", "bind"},
                          {"Source", mount.source},
                          {"Target", mount.target},
                          {"ReadOnly", mount.read_only},
                          {"BindOptions", Msg::map({{"Propagation", mount.propagation}})}}));
  }
  for (auto& device : spec.devices) {
    devices.push(Msg::map({{"PathOnHost", device.source},
                           {"PathInContainer", device.target},
                           {"CgroupPermissions", device.permissions}}));
  }
  host.set("Mounts", std::move(mounts));
  host.set("Devices", std::move(devices));
  return host;
}

ContainerFacts::State state_of(const std::string& status) {
  using State = ContainerFacts::State;
  if (status == "created") return State::created;
  if (status == "running" || status == "paused" || status == "restarting") return State::running;
  if (status == "exited" || status == "dead" || status == "removing") return State::exited;
  return State::unknown;
}

}  // namespace

ApiCall DockerDialect::create(const ContainerSpec& spec) const {
  Msg body = Msg::map({{"Image", spec.image},
                       {"Env", Msg::strings(spec.env)},
                       {"Labels", map_of(spec.labels)},
                       {"Tty", spec.tty},
                       {"OpenStdin", spec.in},
                       {"StdinOnce", spec.in && spec.in_once},
                       {"Healthcheck", Msg::map({{"Test", Msg::strings({"NONE"})}})},
                       {"HostConfig", host_config(spec)}});
  if (!spec.command.empty()) body.set("Entrypoint", Msg::strings(spec.command));
  if (!spec.args.empty()) body.set("Cmd", Msg::strings(spec.args));
  if (!spec.working_dir.empty()) body.set("WorkingDir", spec.working_dir);
  if (!spec.security.user.empty()) body.set("User", spec.security.user);
  if (!spec.stop_signal.empty()) body.set("StopSignal", spec.stop_signal);
  if (spec.sandbox.empty() && !spec.host_network && !spec.hostname.empty()) body.set("Hostname", spec.hostname);
  return {"/containers/create?name=" + spec.name, body};
}

ContainerFacts DockerDialect::facts(const Json& c) const {
  ContainerFacts out;
  Json state = c["State"];
  out.id = c["Id"].text();
  out.labels = texts_of(c["Config"]["Labels"]);
  out.state = state_of(state["Status"].text());
  out.created = unix_ns_of(c["Created"].text());
  out.started = unix_ns_of(state["StartedAt"].text());
  out.exit_code = static_cast<int>(state["ExitCode"].number());
  out.error = state["Error"].text();
  if (out.state == ContainerFacts::State::exited) {
    out.finished = std::max(unix_ns_of(state["FinishedAt"].text()), out.started);
  }
  // One that could not be started remains "created" with an error.
  if (out.state == ContainerFacts::State::created && !out.error.empty()) {
    out.state = ContainerFacts::State::exited;
    out.start_failed = true;
    out.finished = out.created;
  }
  if (out.state != ContainerFacts::State::exited) out.exit_code = 0;
  out.oom_killed = state["OOMKilled"].boolean();
  if (out.state == ContainerFacts::State::running) out.pid = static_cast<uint32_t>(state["Pid"].number());
  out.image_id = c["Image"].text();
  out.resolv_conf_file = c["ResolvConfPath"].text();
  out.log_file = c["LogPath"].text();
  out.tty = c["Config"]["Tty"].boolean();
  return out;
}

std::string DockerDialect::stop_path(const std::string& id, int64_t seconds) const {
  return "/containers/" + id + "/stop?t=" + std::to_string(seconds);
}

std::string DockerDialect::remove_path(const std::string& id) const {
  return "/containers/" + id + "?force=1&v=1";
}

std::string DockerDialect::wait_path(const std::string& id) const {
  return "/containers/" + id + "/wait";
}

ApiCall DockerDialect::update(const std::string& id, const Resources& resources) const {
  Msg body = Msg::map();
  put_resources(body, resources);
  return {"/containers/" + id + "/update", body};
}

std::string DockerDialect::events_path(const std::string& owner, int64_t since) const {
  Msg filters = Msg::map({{"type", Msg::strings({"container"})},
                          {"event", Msg::strings({"create", "start", "die", "destroy", "oom", "exec_die"})},
                          {"label", Msg::strings({std::string(mark::kOwner) + "=" + owner})}});
  char time[40];
  snprintf(time, sizeof time, "%lld.%09lld", static_cast<long long>(since / 1'000'000'000),
           static_cast<long long>(since % 1'000'000'000));
  return "/events?since=" + std::string(time) + "&filters=" + percent_encode(json_text(filters));
}

std::optional<EngineEvent> DockerDialect::event(const Json& line) const {
  using Kind = EngineEvent::Kind;
  static const std::map<std::string, Kind> kinds = {{"create", Kind::created}, {"start", Kind::started},
                                                    {"die", Kind::exited},     {"destroy", Kind::removed},
                                                    {"oom", Kind::oom},        {"exec_die", Kind::exec_exited}};
  auto kind = kinds.find(line["Action"].text());
  if (line["Type"].text() != "container" || kind == kinds.end()) return std::nullopt;
  EngineEvent out;
  out.kind = kind->second;
  out.id = line["Actor"]["ID"].text();
  out.labels = texts_of(line["Actor"]["Attributes"]);
  out.time = line["timeNano"].number();
  out.exec_id = label_of(out.labels, "execID");
  return out;
}

std::string DockerDialect::exec_path(const std::string& id) const {
  return "/containers/" + id + "/exec";
}

Msg DockerDialect::exec_body(const std::vector<std::string>& command, bool in, bool out, bool err, bool tty) const {
  return Msg::map({{"Cmd", Msg::strings(command)},
                   {"AttachStdin", in},
                   {"AttachStdout", out},
                   {"AttachStderr", err},
                   {"Tty", tty},
                   {"DetachKeys", kDetachKeys}});
}

std::string DockerDialect::pull_path(const PullSource& source) const {
  // Without a tag all of them would come; the name is complete, so it has one or a digest.
  return "/images/create?fromImage=" + percent_encode(source.name);
}

}  // namespace lotse::runtime_docker
