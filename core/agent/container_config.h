// From one container of a Pod to the runtime's container_create.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/environment.h"
#include "core/agent/pod_dirs.h"
#include "core/agent/pod_spec.h"
#include "core/base/msgpack.h"

namespace lotse::agent {

struct ImageInfo {
  std::string id, user;
};

// One volumeMount with its subPath resolved but not yet opened.
struct MountPlan {
  std::string volume, source;  // source: the volume's directory; empty for an image volume
  std::string target, sub_path, propagation, image;
  bool read_only = false, recursive_read_only = false;
};
// Which mounts the container wants. kInvalid: a volume or a variable of subPathExpr does not exist.
Result<std::vector<MountPlan>> plan_mounts(const json::Value& pod, const json::Value& container,
                                           const std::map<std::string, std::string>& volumes, const Environment& env);

struct ContainerInput {
  const json::Value& pod;
  const json::Value& container;
  const PodSpec& spec;
  const Config& config;
  const PodDirs& dirs;
  const Environment& env;
  const std::vector<MountPlan>& mounts;   // with sources as they are to be bound
  const ImageInfo& image;
  std::string sandbox, cgroup_parent;
  int attempt = 0;
  int64_t node_memory = 0;
  std::map<std::string, std::string> cgroup_files = {};  // Cgroups::container_files()
};
Result<MsgValue> container_request(const ContainerInput& in);

}  // namespace lotse::agent
