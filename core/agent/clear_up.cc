#include "core/agent/clear_up.h"

#include "core/agent/cgroups.h"
#include "core/agent/volumes.h"

namespace lotse::agent {

Status clear_up(const Config& config) {
  Status status = tear_down(PodDirs{config.data_dir + "/pods", {}});
  auto cgroups = Cgroups::open(config.cgroup_mount, config.cgroup_root);
  if (!cgroups.ok()) return status;  // none mounted, so none left
  Status removed = cgroups->remove_all();
  return removed.ok() ? status : removed;
}

}  // namespace lotse::agent
