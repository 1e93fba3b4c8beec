// A pod's volumes in two steps. plan_volumes is pure: from the pod, what it refers to and its tokens to a list of what
// must lie where. set_up_volumes and tear_down_volumes do it. [worker]
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/agent/atomic_dir.h"
#include "core/agent/downward.h"
#include "core/agent/pod_dirs.h"
#include "core/agent/references.h"

namespace lotse::agent {

// A service account token that a projected volume asks for.
struct TokenKey {
  std::string volume, path, audience;
  int64_t expiration_s = 3600;
  auto operator<=>(const TokenKey&) const = default;
};
std::vector<TokenKey> tokens_of(const json::Value& pod);
using Tokens = std::map<TokenKey, std::string>;

struct VolumePlan {
  enum class Kind : uint8_t { kFiles, kEmptyDir, kMemory, kHostPath } kind;
  std::string name, path;       // path: the directory on this host
  Payload payload;              // kFiles
  bool secret = false;          // kFiles: kept in memory, never on a disk
  int64_t size_bytes = 0;       // kMemory; 0: no limit but the node's memory
  std::string host_type;        // kHostPath: "", "Directory", "DirectoryOrCreate", "File", ...
  std::optional<gid_t> group;   // fsGroup
};

struct VolumeInput {
  const json::Value& pod;
  const PodDirs& dirs;
  const Referenced& refs;
  const Tokens& tokens;
  const PodFacts& facts;
};
// kInvalid or kServiceUnavailable in a sentence: what FailedMount says.
Result<std::vector<VolumePlan>> plan_volumes(const VolumeInput& in);
Result<Payload> plan_files(const VolumeInput& in, const json::Value& volume);  // volume_files.cc

// Where plan_volumes puts each of them, without looking at what they are made from.
std::map<std::string, std::string> volume_paths(const json::Value& pod, const PodDirs& dirs);

// Idempotent. Where the volumes are, by name.
Result<std::map<std::string, std::string>> set_up_volumes(const std::vector<VolumePlan>& plans, const PodDirs& dirs);
// Unmounts everything below the pod's directory and removes it.
Status tear_down(const PodDirs& dirs);

// A directory or file inside a volume as something that can be bound and does not move any more: the source is opened
// without following links and bound to a place of ours. Missing directories are made, as Kubernetes does.
Result<std::string> bind_sub_path(const PodDirs& dirs, const std::string& volume, const std::string& source,
                                  const std::string& sub_path, const std::string& container, size_t index,
                                  std::optional<gid_t> group);

}  // namespace lotse::agent
