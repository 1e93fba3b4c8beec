// The ABI's requests as CRI messages, and what the plugin writes down with each thing so that it finds it again.
#pragma once
#include <string>

#include "lotse/runtime_containerd/cri.pb.h"
#include "plugins/container_engine/request.h"
#include "plugins/runtime_containerd/names.h"

namespace lotse::runtime_containerd {

// Labels and annotations of the plugin's own, on sandboxes and containers. They are not part of its answers.
namespace mark {
inline constexpr char kPrefix[] = "runtime.lotse.local/";
inline constexpr char kOwner[] = "runtime.lotse.local/owner";             // label: which lotsed it belongs to
inline constexpr char kUid[] = "runtime.lotse.local/uid";                 // label: the pod's uid
inline constexpr char kSandbox[] = "runtime.lotse.local/sandbox";         // label of a container: its sandbox
inline constexpr char kName[] = "runtime.lotse.local/name";               // label of a container
inline constexpr char kLogDir[] = "runtime.lotse.local/log-dir";          // annotation of a sandbox
inline constexpr char kOptions[] = "runtime.lotse.local/options";         // annotation of a sandbox: words
inline constexpr char kImage[] = "runtime.lotse.local/image";             // annotation of a container: as asked for
inline constexpr char kStopSignal[] = "runtime.lotse.local/stop-signal";  // annotation of a container
}  // namespace mark

// What of the machine the translation depends on.
struct Machine {
  std::string owner;
  bool apparmor = false;
  bool cgroup2 = false;
};

cri::RunPodSandboxRequest sandbox_request(const Msg& request, const Machine& machine);

// `sandbox` is what PodSandboxStatus says of the sandbox.
cri::CreateContainerRequest container_request(const Msg& request, const cri::PodSandboxStatus& sandbox,
                                              const Machine& machine);

cri::LinuxContainerResources resources_of(const Msg& resources, const Machine& machine);

}  // namespace lotse::runtime_containerd
