#include "plugins/runtime_containerd/cri_request.h"

#include <charconv>

namespace lotse::runtime_containerd {
namespace {

// What a container may not see of /proc and /sys, as Kubernetes' "Default" proc mount has it.
constexpr const char* kMaskedPaths[] = {"/proc/asound",
                                        "/proc/acpi",
                                        "/proc/kcore",
                                        "/proc/keys",
                                        "/proc/latency_stats",
                                        "/proc/timer_list",
                                        "/proc/timer_stats",
                                        "/proc/sched_debug",
                                        "/proc/scsi",
                                        "/sys/firmware",
                                        "/sys/devices/virtual/powercap"};
constexpr const char* kReadOnlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

bool has_word(const std::string& words, std::string_view word) {
  return (" " + words + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

void put_all(google::protobuf::Map<std::string, std::string>& out, const Msg& request, std::string_view key) {
  for (auto& [name, value] : get_text_map(request, key)) {
    if (name.rfind(mark::kPrefix, 0) == 0) refuse("the name \"" + name + "\" is reserved");
    out[name] = value;
  }
}

void put_namespaces(cri::NamespaceOption& out, const std::string& options) {
  out.set_network(has_word(options, "host_network") ? cri::NODE : cri::POD);
  out.set_ipc(has_word(options, "host_ipc") ? cri::NODE : cri::POD);
  out.set_pid(has_word(options, "host_pid") ? cri::NODE : has_word(options, "share_pid") ? cri::POD : cri::CONTAINER);
}

// "RuntimeDefault", "Unconfined" or "Localhost:NAME".
void put_profile(cri::SecurityProfile& out, const std::string& text, const char* key) {
  constexpr std::string_view kLocalhost = "Localhost:";
  if (text == "RuntimeDefault") {
    out.set_profile_type(cri::SecurityProfile::RuntimeDefault);
  } else if (text == "Unconfined") {
    out.set_profile_type(cri::SecurityProfile::Unconfined);
  } else if (text.rfind(kLocalhost, 0) == 0 && text.size() > kLocalhost.size()) {
    out.set_profile_type(cri::SecurityProfile::Localhost);
    out.set_localhost_ref(text.substr(kLocalhost.size()));
  } else {
    refuse(std::string("the key \"") + key + "\" must be RuntimeDefault, Unconfined or Localhost:NAME");
  }
}

template <class Context>
void put_profiles(Context& out, const Msg& security, const Machine& machine) {
  if (auto text = get_text(security, "seccomp"); !text.empty()) put_profile(*out.mutable_seccomp(), text, "seccomp");
  auto apparmor = get_text(security, "apparmor");
  // containerd refuses even its own default where the kernel has no AppArmor; a profile that was named must be refused.
  if (apparmor.empty() || (!machine.apparmor && apparmor == "RuntimeDefault")) return;
  put_profile(*out.mutable_apparmor(), apparmor, "apparmor");
}

template <class Context>
void put_selinux(Context& out, const Msg& security) {
  const Msg& selinux = get_map(security, "selinux");
  if (selinux.members().empty()) return;
  auto& label = *out.mutable_selinux_options();
  label.set_user(get_text(selinux, "user"));
  label.set_role(get_text(selinux, "role"));
  label.set_type(get_text(selinux, "type"));
  label.set_level(get_text(selinux, "level"));
}

bool whole_number(std::string_view text, int64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 0;
}

struct User {
  bool by_id = false;
  int64_t uid = 0;
  std::string name;
  bool has_gid = false;
  int64_t gid = 0;
};

User user_of(const std::string& text) {
  User user;
  std::string_view left = text;
  if (auto colon = text.find(':'); colon != std::string::npos) {
    user.has_gid = true;
    if (!whole_number(left.substr(colon + 1), &user.gid)) refuse("the group in \"user\" must be a number: " + text);
    left = left.substr(0, colon);
  }
  user.by_id = whole_number(left, &user.uid);
  if (!user.by_id) user.name = left;
  return user;
}

void put_groups(google::protobuf::RepeatedField<int64_t>& out, const Msg& security) {
  for (int64_t group : get_ints(security, "groups")) out.Add(group);
  if (int64_t group = get_int(security, "fs_group", -1); group >= 0) out.Add(group);
}

void put_container_security(cri::LinuxContainerSecurityContext& out, const Msg& security, const Machine& machine) {
  out.set_privileged(get_bool(security, "privileged"));
  if (auto text = get_text(security, "user"); !text.empty()) {
    User user = user_of(text);
    if (user.by_id) {
      out.mutable_run_as_user()->set_value(user.uid);
    } else {
      out.set_run_as_username(user.name);
    }
    if (user.has_gid) out.mutable_run_as_group()->set_value(user.gid);
  }
  put_groups(*out.mutable_supplemental_groups(), security);
  for (auto& name : get_texts(security, "add_capabilities")) out.mutable_capabilities()->add_add_capabilities(name);
  for (auto& name : get_texts(security, "drop_capabilities")) out.mutable_capabilities()->add_drop_capabilities(name);
  out.set_readonly_rootfs(get_bool(security, "read_only_root"));
  out.set_no_new_privs(get_bool(security, "no_new_privileges"));
  put_profiles(out, security, machine);
  put_selinux(out, security);
  if (out.privileged() || get_text(security, "proc_mount") == "Unmasked") return;
  for (auto& path : get_texts(security, "masked_paths")) out.add_masked_paths(path);
  for (auto& path : get_texts(security, "readonly_paths")) out.add_readonly_paths(path);
  if (security["masked_paths"].is_nil()) {
    for (const char* path : kMaskedPaths) out.add_masked_paths(path);
  }
  if (security["readonly_paths"].is_nil()) {
    for (const char* path : kReadOnlyPaths) out.add_readonly_paths(path);
  }
}

int propagation_of(const std::string& text) {
  if (text.empty() || text == "None") return 0;
  if (text == "HostToContainer") return 1;
  if (text == "Bidirectional") return 2;
  refuse("the key \"propagation\" must be None, HostToContainer or Bidirectional");
}

void put_mounts(cri::ContainerConfig& out, const Msg& request) {
  for (const Msg& mount : get_array(request, "mounts").items()) {
    auto& made = *out.add_mounts();
    made.set_container_path(need_text(mount, "target"));
    if (get_bool(mount, "image")) {
      made.mutable_image()->set_image(need_text(mount, "source"));
    } else {
      made.set_host_path(need_text(mount, "source"));
    }
    made.set_readonly(get_bool(mount, "read_only"));
    made.set_recursive_read_only(get_bool(mount, "recursive_read_only"));
    made.set_propagation(propagation_of(get_text(mount, "propagation")));
  }
  for (const Msg& device : get_array(request, "devices").items()) {
    auto& made = *out.add_devices();
    made.set_host_path(need_text(device, "source"));
    made.set_container_path(need_text(device, "target"));
    made.set_permissions(get_text(device, "permissions", "rwm"));
  }
}

void put_environment(cri::ContainerConfig& out, const Msg& request) {
  for (const Msg& pair : get_array(request, "env").items()) {
    if (!pair.is_array() || pair.items().size() != 2) refuse("the key \"env\" must be an array of pairs");
    auto& made = *out.add_envs();
    Msg named = Msg::map({{"env", pair}});
    auto words = get_texts(named, "env");
    made.set_key(words[0]);
    made.set_value(words[1]);
  }
}

void put_ports(cri::PodSandboxConfig& config, const Msg& request) {
  for (const Msg& port : get_array(request, "ports").items()) {
    auto& made = *config.add_port_mappings();
    std::string protocol = get_text(port, "protocol", "TCP");
    if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP")
      refuse("the key \"protocol\" must be TCP, UDP or SCTP");
    made.set_protocol(protocol == "TCP" ? 0 : protocol == "UDP" ? 1 : 2);
    made.set_container_port(static_cast<int32_t>(need_int(port, "container", 1, 65535)));
    if (!port["host"].is_nil()) made.set_host_port(static_cast<int32_t>(need_int(port, "host", 0, 65535)));
    made.set_host_ip(get_text(port, "ip"));
  }
}

std::string option_words(const Msg& request) {
  std::string words;
  for (const char* key : {"host_network", "host_pid", "host_ipc", "share_pid"}) {
    if (get_bool(request, key)) words += (words.empty() ? "" : " ") + std::string(key);
  }
  return words;
}

void put_sandbox_security(cri::LinuxSandboxSecurityContext& out, const Msg& security, const std::string& options,
                          const Machine& machine) {
  put_namespaces(*out.mutable_namespace_options(), options);
  out.set_privileged(get_bool(security, "privileged"));
  out.set_readonly_rootfs(get_bool(security, "read_only_root"));
  put_groups(*out.mutable_supplemental_groups(), security);
  if (auto text = get_text(security, "user"); !text.empty()) {
    User user = user_of(text);
    if (user.by_id) out.mutable_run_as_user()->set_value(user.uid);
    if (user.by_id && user.has_gid) out.mutable_run_as_group()->set_value(user.gid);
  }
  put_profiles(out, security, machine);
  put_selinux(out, security);
}

}  // namespace

cri::LinuxContainerResources resources_of(const Msg& resources, const Machine& machine) {
  cri::LinuxContainerResources out;
  out.set_cpu_shares(get_int(resources, "cpu_shares"));
  out.set_cpu_quota(get_int(resources, "cpu_quota_us"));
  out.set_cpu_period(get_int(resources, "cpu_period_us"));
  out.set_memory_limit_in_bytes(get_int(resources, "memory_bytes"));
  out.set_memory_swap_limit_in_bytes(get_int(resources, "swap_bytes"));
  out.set_oom_score_adj(get_int(resources, "oom_score_adj"));
  out.set_cpuset_cpus(get_text(resources, "cpuset_cpus"));
  for (const auto& [size, bytes] : get_map(resources, "hugepages").members()) {
    auto& limit = *out.add_hugepage_limits();
    limit.set_page_size(size);
    limit.set_limit(bytes.as_uint());
  }
  if (int64_t pids = get_int(resources, "pids"); pids > 0 && machine.cgroup2) {
    (*out.mutable_unified())["pids.max"] = std::to_string(pids);
  }
  if (machine.cgroup2) {
    for (auto& [file, text] : get_text_map(resources, "unified")) (*out.mutable_unified())[file] = text;
  }
  return out;
}

cri::RunPodSandboxRequest sandbox_request(const Msg& request, const Machine& machine) {
  cri::RunPodSandboxRequest out;
  auto& config = *out.mutable_config();
  auto& metadata = *config.mutable_metadata();
  metadata.set_uid(need_text(request, "uid"));
  metadata.set_namespace_(need_text(request, "namespace"));
  metadata.set_name(need_text(request, "name"));
  metadata.set_attempt(static_cast<uint32_t>(need_int(request, "attempt", 0, UINT32_MAX)));
  config.set_hostname(get_text(request, "hostname"));
  config.set_log_directory(get_text(request, "log_dir"));
  const Msg& dns = get_map(request, "dns");
  if (!dns.members().empty()) {
    for (auto& text : get_texts(dns, "servers")) config.mutable_dns_config()->add_servers(text);
    for (auto& text : get_texts(dns, "searches")) config.mutable_dns_config()->add_searches(text);
    for (auto& text : get_texts(dns, "options")) config.mutable_dns_config()->add_options(text);
  }
  put_ports(config, request);
  put_all(*config.mutable_labels(), request, "labels");
  put_all(*config.mutable_annotations(), request, "annotations");
  std::string options = option_words(request);
  (*config.mutable_labels())[mark::kOwner] = machine.owner;
  (*config.mutable_labels())[mark::kUid] = metadata.uid();
  (*config.mutable_annotations())[mark::kLogDir] = config.log_directory();
  (*config.mutable_annotations())[mark::kOptions] = options;
  auto& linux = *config.mutable_linux();
  linux.set_cgroup_parent(get_text(request, "cgroup_parent"));
  for (auto& [name, value] : get_text_map(request, "sysctls")) (*linux.mutable_sysctls())[name] = value;
  put_sandbox_security(*linux.mutable_security_context(), get_map(request, "security"), options, machine);
  if (!request["resources"].is_nil()) {
    *linux.mutable_resources() = resources_of(get_map(request, "resources"), machine);
  }
  if (get_bool(request, "host_users", true) == false) {
    throw sdk::Failure(LOTSE_UNSUPPORTED, "this runtime has no user namespaces");
  }
  out.set_runtime_handler(get_text(request, "runtime_handler"));
  return out;
}

cri::CreateContainerRequest container_request(const Msg& request, const cri::PodSandboxStatus& sandbox,
                                              const Machine& machine) {
  cri::CreateContainerRequest out;
  out.set_pod_sandbox_id(sandbox.id());
  auto& config = *out.mutable_config();
  config.mutable_metadata()->set_name(need_text(request, "name"));
  config.mutable_metadata()->set_attempt(static_cast<uint32_t>(need_int(request, "attempt", 0, UINT32_MAX)));
  config.mutable_image()->set_image(need_text(request, "image"));
  for (auto& text : get_texts(request, "command")) config.add_command(text);
  for (auto& text : get_texts(request, "args")) config.add_args(text);
  config.set_working_dir(get_text(request, "working_dir"));
  put_environment(config, request);
  put_mounts(config, request);
  put_all(*config.mutable_labels(), request, "labels");
  put_all(*config.mutable_annotations(), request, "annotations");
  (*config.mutable_labels())[mark::kOwner] = machine.owner;
  (*config.mutable_labels())[mark::kSandbox] = sandbox.id();
  (*config.mutable_labels())[mark::kUid] = sandbox.metadata().uid();
  (*config.mutable_labels())[mark::kName] = config.metadata().name();
  (*config.mutable_annotations())[mark::kImage] = config.image().image();
  if (auto signal = get_text(request, "stop_signal"); !signal.empty()) {
    (*config.mutable_annotations())[mark::kStopSignal] = signal;
  }
  config.set_log_path(get_text(request, "log_path"));
  config.set_stdin(get_bool(request, "stdin"));
  config.set_stdin_once(get_bool(request, "stdin_once"));
  config.set_tty(get_bool(request, "tty"));

  auto find = [&](const char* key) {
    auto it = sandbox.annotations().find(key);
    return it == sandbox.annotations().end() ? std::string() : it->second;
  };
  std::string options = find(mark::kOptions);
  auto& linux = *config.mutable_linux();
  *linux.mutable_resources() = resources_of(get_map(request, "resources"), machine);
  put_container_security(*linux.mutable_security_context(), get_map(request, "security"), machine);
  put_namespaces(*linux.mutable_security_context()->mutable_namespace_options(), options);

  // CRI wants the sandbox's configuration again; these are the parts of it that a container depends on.
  auto& again = *out.mutable_sandbox_config();
  *again.mutable_metadata() = sandbox.metadata();
  *again.mutable_annotations() = sandbox.annotations();
  again.set_log_directory(find(mark::kLogDir));
  again.mutable_linux()->set_cgroup_parent(get_text(request, "cgroup_parent"));
  put_namespaces(*again.mutable_linux()->mutable_security_context()->mutable_namespace_options(), options);
  again.mutable_linux()->mutable_security_context()->set_privileged(linux.security_context().privileged());
  return out;
}

}  // namespace lotse::runtime_containerd
