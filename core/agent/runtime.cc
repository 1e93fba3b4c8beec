#include "core/agent/runtime.h"

namespace lotse::agent {

std::string_view call_name(Call call) {
  static constexpr std::string_view kNames[] = {"info",
                                                "sandbox_run",
                                                "sandbox_stop",
                                                "sandbox_remove",
                                                "sandbox_status",
                                                "sandbox_list",
                                                "container_create",
                                                "container_start",
                                                "container_stop",
                                                "container_remove",
                                                "container_status",
                                                "container_list",
                                                "container_update",
                                                "container_stats",
                                                "container_reopen_log",
                                                "exec_sync",
                                                "image_import",
                                                "image_status",
                                                "image_list",
                                                "image_remove",
                                                "image_fs"};
  return kNames[static_cast<size_t>(call)];
}

}  // namespace lotse::agent
