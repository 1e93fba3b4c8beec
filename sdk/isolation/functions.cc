#include "sdk/isolation/functions.h"

namespace lotse::isolation {

const Functions* functions_of(std::string_view kind) {
#define LOTSE_AT(NAME) offsetof(lotse_runtime, NAME)
  static const Functions runtime{
      sizeof(lotse_runtime),
      {LOTSE_AT(info), LOTSE_AT(sandbox_run), LOTSE_AT(sandbox_stop), LOTSE_AT(sandbox_remove), LOTSE_AT(sandbox_status),
       LOTSE_AT(sandbox_list), LOTSE_AT(container_create), LOTSE_AT(container_start), LOTSE_AT(container_stop),
       LOTSE_AT(container_remove), LOTSE_AT(container_status), LOTSE_AT(container_list), LOTSE_AT(container_update),
       LOTSE_AT(container_stats), LOTSE_AT(container_reopen_log), LOTSE_AT(exec_sync), LOTSE_AT(image_import),
       LOTSE_AT(image_status), LOTSE_AT(image_list), LOTSE_AT(image_remove), LOTSE_AT(image_fs)},
      {LOTSE_AT(exec), LOTSE_AT(attach), LOTSE_AT(port_forward), LOTSE_AT(events), LOTSE_AT(image_pull)}};
#undef LOTSE_AT
  static const Functions proxy{sizeof(lotse_proxy),
                               {offsetof(lotse_proxy, info), offsetof(lotse_proxy, resync), offsetof(lotse_proxy, apply),
                                offsetof(lotse_proxy, remove_all)},
                               {}};
  return kind == "runtime" ? &runtime : kind == "proxy" ? &proxy : nullptr;
}

}  // namespace lotse::isolation
