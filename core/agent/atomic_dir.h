// A directory of files that changes all at once, as Kubernetes' volumes for config maps and secrets do: the files lie
// in a directory named by time, ..data is a link to it, and each name in the volume is a link through ..data. Renaming
// a new
// ..data over the old one is the moment of change. [worker]
#pragma once
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

#include "core/base/result.h"

namespace lotse::agent {

struct FileContent {
  std::string bytes;
  mode_t mode = 0644;
  std::optional<uid_t> owner;
  bool operator==(const FileContent&) const = default;
};
using Payload = std::map<std::string, FileContent>;  // by path in the volume

// True if something changed. `group`: fsGroup.
Result<bool> write_atomic_dir(const std::string& dir, const Payload& payload, std::optional<gid_t> group);

}  // namespace lotse::agent
