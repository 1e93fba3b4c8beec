// What a sandbox's first process or a container is to be, read from the ABI's requests and the same for every engine;
// and what the plugin writes down with each thing so that it finds it again.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugins/container_engine/request.h"

namespace lotse::container_engine {}
namespace lotse::engine_http {
using namespace container_engine;

// Labels of the plugin's own. They are not part of its answers. Labels and annotations of the pod lie below `label.`
// and `annotation.`, since an engine mixes a container's labels with its image's.
namespace mark {
inline constexpr char kPrefix[] = "runtime.lotse.local/";
inline constexpr char kOwner[] = "runtime.lotse.local/owner";  // which lotsed it belongs to
inline constexpr char kUid[] = "runtime.lotse.local/uid";
inline constexpr char kNamespace[] = "runtime.lotse.local/namespace";
inline constexpr char kPod[] = "runtime.lotse.local/pod";          // the pod's name
inline constexpr char kAttempt[] = "runtime.lotse.local/attempt";  // of the sandbox or the container
inline constexpr char kSandbox[] = "runtime.lotse.local/sandbox";  // of a container: its sandbox
inline constexpr char kName[] = "runtime.lotse.local/name";        // of a container
inline constexpr char kLogDir[] = "runtime.lotse.local/log-dir";   // of a sandbox
inline constexpr char kLogPath[] = "runtime.lotse.local/log-path";
inline constexpr char kOptions[] = "runtime.lotse.local/options";  // of a sandbox: words
inline constexpr char kImage[] = "runtime.lotse.local/image";      // of a container: as asked for
inline constexpr char kLabel[] = "runtime.lotse.local/label.";
inline constexpr char kAnnotation[] = "runtime.lotse.local/annotation.";
}  // namespace mark

// What of the machine and the configuration the translation depends on.
struct Machine {
  std::string owner;
  bool apparmor = false;
  bool can_lower_oom_score = true;
  int oom_score_adj = 0;  // the engine's own: without the capability nothing goes below it
};

using Texts = std::map<std::string, std::string>;

struct Resources {
  int64_t cpu_shares = 0, cpu_quota_us = 0, cpu_period_us = 0, memory_bytes = 0, swap_bytes = 0, pids = 0;
  std::string cpuset_cpus;
  std::optional<int64_t> oom_score_adj;

  static Resources read(const Msg& resources, const Machine& machine);
};

struct Security {
  bool privileged = false, read_only_root = false, no_new_privileges = false;
  std::string user;
  std::vector<std::string> groups;
  std::vector<std::string> add_capabilities, drop_capabilities;
  std::string seccomp, apparmor;  // "", "RuntimeDefault", "Unconfined" or "Localhost:PATH"
  Texts selinux;                  // user, role, type, level
  std::vector<std::string> masked_paths, readonly_paths;

  static Security read(const Msg& security, const Machine& machine);
};

struct Mount {
  std::string source, target, propagation;  // "rprivate", "rslave", "rshared"
  bool read_only = false;
};

struct Device {
  std::string source, target, permissions;
};

struct ContainerSpec {
  std::string name;  // the engine's: the same request always gives the same
  std::string image;
  std::vector<std::string> command, args;
  std::vector<std::string> env;  // "KEY=value"
  std::string working_dir, hostname, cgroup_parent, stop_signal;
  Texts labels, sysctls;
  std::vector<Mount> mounts;
  std::vector<Device> devices;
  bool tty = false, in = false, in_once = false;
  Resources resources;
  Security security;
  // Namespaces. A sandbox makes them ("host_network" and so on are options); a container joins those of `sandbox`.
  bool host_network = false, host_pid = false, host_ipc = false, share_pid = false;
  std::string sandbox;   // "": this is one
  std::string log_path;  // absolute; "": no log
};

// Throw LOTSE_INVALID or LOTSE_UNSUPPORTED.
ContainerSpec sandbox_spec(const Msg& request, const Machine& machine);
// `sandbox_labels`: those of its sandbox.
ContainerSpec container_spec(const Msg& request, const Texts& sandbox_labels, const Machine& machine);

// Dns of a sandbox as a resolv.conf; "": none was given.
std::string resolv_conf(const Msg& sandbox_request);

// The pod's labels (kLabel) or annotations (kAnnotation) among those of the engine's container.
Msg entries_below(const Texts& labels, const char* prefix);
std::string label_of(const Texts& labels, const char* key);

}  // namespace lotse::engine_http
