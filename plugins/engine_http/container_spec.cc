#include "plugins/engine_http/container_spec.h"

#include "plugins/container_engine/digest.h"

namespace lotse::engine_http {
namespace {

// What a container may not see of /proc and /sys, as Kubernetes' "Default" proc mount has it.
const std::vector<std::string> kMaskedPaths = {"/proc/asound",
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
const std::vector<std::string> kReadOnlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                 "/proc/sysrq-trigger"};
constexpr size_t kNamePartMax = 40;

bool has_word(const std::string& words, std::string_view word) {
  return (" " + words + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

std::string option_words(const Msg& request) {
  std::string words;
  for (const char* key : {"host_network", "host_pid", "host_ipc", "share_pid"}) {
    if (get_bool(request, key)) words += (words.empty() ? "" : " ") + std::string(key);
  }
  return words;
}

void put_options(ContainerSpec& spec, const std::string& words) {
  spec.host_network = has_word(words, "host_network");
  spec.host_pid = has_word(words, "host_pid");
  spec.host_ipc = has_word(words, "host_ipc");
  spec.share_pid = has_word(words, "share_pid");
}

void put_entries(Texts& labels, const Msg& request) {
  for (auto& [name, value] : get_text_map(request, "labels")) labels[mark::kLabel + name] = value;
  for (auto& [name, value] : get_text_map(request, "annotations")) labels[mark::kAnnotation + name] = value;
}

// What an engine takes for a name: what is not, becomes an underscore. The digest makes it unique.
std::string engine_name(const std::string& readable, const std::string& identity) {
  std::string out = "lotse_";
  for (char c : readable.substr(0, kNamePartMax)) {
    bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    out += fine ? c : '_';
  }
  return out + "_" + sha256_hex(identity).substr(0, 24);
}

std::string profile(const Msg& security, const char* key) {
  std::string text = get_text(security, key);
  bool known = text.empty() || text == "RuntimeDefault" || text == "Unconfined" ||
               (text.starts_with("Localhost:") && text.size() > 10);
  if (!known) refuse(std::string("the key \"") + key + "\" must be RuntimeDefault, Unconfined or Localhost:NAME");
  return text;
}

std::string propagation_of(const std::string& text) {
  if (text.empty() || text == "None") return "rprivate";
  if (text == "HostToContainer") return "rslave";
  if (text == "Bidirectional") return "rshared";
  refuse("the key \"propagation\" must be None, HostToContainer or Bidirectional");
}

void put_mounts(ContainerSpec& spec, const Msg& request) {
  for (const Msg& mount : get_array(request, "mounts").items()) {
    if (get_bool(mount, "image"))
      throw sdk::Failure(LOTSE_UNSUPPORTED, "this runtime cannot mount an image as a volume");
    if (get_bool(mount, "recursive_read_only")) {
      throw sdk::Failure(LOTSE_UNSUPPORTED, "this runtime has no recursively read-only mounts");
    }
    spec.mounts.push_back({need_text(mount, "source"), need_text(mount, "target"),
                           propagation_of(get_text(mount, "propagation")), get_bool(mount, "read_only")});
  }
  for (const Msg& device : get_array(request, "devices").items()) {
    spec.devices.push_back(
        {need_text(device, "source"), need_text(device, "target"), get_text(device, "permissions", "rwm")});
  }
}

void put_environment(ContainerSpec& spec, const Msg& request) {
  for (const Msg& pair : get_array(request, "env").items()) {
    if (!pair.is_array() || pair.items().size() != 2) refuse("the key \"env\" must be an array of pairs");
    auto words = get_texts(Msg::map({{"env", pair}}), "env");
    spec.env.push_back(words[0] + "=" + words[1]);
  }
}

}  // namespace

Resources Resources::read(const Msg& r, const Machine& machine) {
  Resources out;
  out.cpu_shares = get_int(r, "cpu_shares");
  out.cpu_quota_us = get_int(r, "cpu_quota_us");
  out.cpu_period_us = get_int(r, "cpu_period_us");
  out.memory_bytes = get_int(r, "memory_bytes");
  out.swap_bytes = get_int(r, "swap_bytes");
  out.pids = get_int(r, "pids");
  out.cpuset_cpus = get_text(r, "cpuset_cpus");
  // An engine takes "no swap limit" for twice the memory; Kubernetes means no swap.
  if (out.memory_bytes > 0 && out.swap_bytes == 0) out.swap_bytes = out.memory_bytes;
  if (!r["oom_score_adj"].is_nil()) {
    int64_t score = get_int(r, "oom_score_adj");
    if (!machine.can_lower_oom_score) score = std::max<int64_t>(score, machine.oom_score_adj);
    out.oom_score_adj = score;
  }
  return out;
}

Security Security::read(const Msg& s, const Machine& machine) {
  Security out;
  out.privileged = get_bool(s, "privileged");
  out.read_only_root = get_bool(s, "read_only_root");
  out.no_new_privileges = get_bool(s, "no_new_privileges");
  out.user = get_text(s, "user");
  for (int64_t group : get_ints(s, "groups")) out.groups.push_back(std::to_string(group));
  if (int64_t group = get_int(s, "fs_group", -1); group >= 0) out.groups.push_back(std::to_string(group));
  out.add_capabilities = get_texts(s, "add_capabilities");
  out.drop_capabilities = get_texts(s, "drop_capabilities");
  out.seccomp = profile(s, "seccomp");
  out.apparmor = profile(s, "apparmor");
  // An engine refuses even its own default where the kernel has no AppArmor; a profile that was named must be refused.
  if (!machine.apparmor && (out.apparmor == "RuntimeDefault" || out.apparmor == "Unconfined")) out.apparmor.clear();
  const Msg& selinux = get_map(s, "selinux");
  for (const char* key : {"user", "role", "type", "level"}) {
    if (auto text = get_text(selinux, key); !text.empty()) out.selinux[key] = text;
  }
  if (out.privileged || get_text(s, "proc_mount") == "Unmasked") return out;
  out.masked_paths = s["masked_paths"].is_nil() ? kMaskedPaths : get_texts(s, "masked_paths");
  out.readonly_paths = s["readonly_paths"].is_nil() ? kReadOnlyPaths : get_texts(s, "readonly_paths");
  return out;
}

ContainerSpec sandbox_spec(const Msg& request, const Machine& machine) {
  ContainerSpec out;
  std::string uid = need_text(request, "uid"), space = need_text(request, "namespace");
  std::string pod = need_text(request, "name");
  std::string attempt = std::to_string(need_int(request, "attempt", 0, UINT32_MAX));
  out.name = engine_name("sandbox_" + pod, machine.owner + "\n" + uid + "\n" + space + "\n" + pod + "\n" + attempt);
  out.image = get_text(request, "image");
  out.hostname = get_text(request, "hostname");
  out.cgroup_parent = get_text(request, "cgroup_parent");
  for (auto& [name, value] : get_text_map(request, "sysctls")) out.sysctls[name] = value;
  if (!get_bool(request, "host_users", true)) {
    throw sdk::Failure(LOTSE_UNSUPPORTED, "this runtime has no user namespaces");
  }
  if (!get_text(request, "runtime_handler").empty()) {
    throw sdk::Failure(LOTSE_UNSUPPORTED, "this runtime has no handlers");
  }
  std::string options = option_words(request);
  put_options(out, options);
  out.resources = Resources::read(get_map(request, "resources"), machine);
  const Msg& security = get_map(request, "security");
  out.security.seccomp = profile(security, "seccomp");
  out.security.masked_paths = kMaskedPaths;
  out.security.readonly_paths = kReadOnlyPaths;
  out.labels = {{mark::kOwner, machine.owner}, {mark::kUid, uid},
                {mark::kNamespace, space},     {mark::kPod, pod},
                {mark::kAttempt, attempt},     {mark::kLogDir, get_text(request, "log_dir")},
                {mark::kOptions, options}};
  put_entries(out.labels, request);
  return out;
}

ContainerSpec container_spec(const Msg& request, const Texts& sandbox_labels, const Machine& machine) {
  ContainerSpec out;
  out.sandbox = need_text(request, "sandbox");
  std::string name = need_text(request, "name");
  std::string attempt = std::to_string(need_int(request, "attempt", 0, UINT32_MAX));
  std::string pod = label_of(sandbox_labels, mark::kPod), uid = label_of(sandbox_labels, mark::kUid);
  out.name = engine_name(name + "_" + pod, machine.owner + "\n" + out.sandbox + "\n" + name + "\n" + attempt);
  out.image = need_text(request, "image");
  out.command = get_texts(request, "command");
  out.args = get_texts(request, "args");
  out.working_dir = get_text(request, "working_dir");
  out.stop_signal = get_text(request, "stop_signal");
  out.cgroup_parent = get_text(request, "cgroup_parent");
  out.tty = get_bool(request, "tty");
  out.in = get_bool(request, "stdin");
  out.in_once = get_bool(request, "stdin_once");
  put_environment(out, request);
  put_mounts(out, request);
  out.resources = Resources::read(get_map(request, "resources"), machine);
  out.security = Security::read(get_map(request, "security"), machine);
  put_options(out, label_of(sandbox_labels, mark::kOptions));
  std::string log = get_text(request, "log_path"), directory = label_of(sandbox_labels, mark::kLogDir);
  if (!log.empty() && !directory.empty()) out.log_path = directory + "/" + log;
  out.labels = {{mark::kOwner, machine.owner}, {mark::kUid, uid},         {mark::kSandbox, out.sandbox},
                {mark::kName, name},           {mark::kAttempt, attempt}, {mark::kImage, out.image},
                {mark::kLogPath, out.log_path}};
  put_entries(out.labels, request);
  return out;
}

std::string resolv_conf(const Msg& request) {
  const Msg& dns = get_map(request, "dns");
  if (dns.members().empty()) return {};
  std::string out;
  auto line = [&](const char* word, const std::vector<std::string>& values) {
    if (values.empty()) return;
    out += word;
    for (auto& value : values) {
      if (value.find('\n') != std::string::npos) refuse("the key \"dns\" must not hold line breaks");
      out += " " + value;
    }
    out += "\n";
  };
  line("search", get_texts(dns, "searches"));
  for (auto& server : get_texts(dns, "servers")) line("nameserver", {server});
  line("options", get_texts(dns, "options"));
  return out;
}

Msg entries_below(const Texts& labels, const char* prefix) {
  Msg out = Msg::map();
  std::string_view start = prefix;
  for (auto& [key, value] : labels) {
    if (key.starts_with(start)) out.set(std::string_view(key).substr(start.size()), value);
  }
  return out;
}

std::string label_of(const Texts& labels, const char* key) {
  auto it = labels.find(key);
  return it == labels.end() ? std::string() : it->second;
}

}  // namespace lotse::engine_http
