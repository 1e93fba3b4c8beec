// Calls what nobody defines: only a loader that resolves everything at once finds out in time.
#include "lotse/plugin.hpp"
LOTSE_NOTE(LOTSE_NOTE_TEXT_(proxy, "x", "0.1.0", 0, "for tests"))
extern "C" int32_t lotse_nobody_defines_this(const lotse_host* host, lotse_error* error);
static int32_t init(const lotse_host* host, lotse_error* error) {
  return lotse_nobody_defines_this(host, error);
}
extern "C" __attribute__((visibility("default")))
const lotse_plugin lotse_plugin_entry = {LOTSE_PLUGIN_MAGIC,
                                         sizeof(lotse_plugin),
                                         1,
                                         0,
                                         "x",
                                         "0.1.0",
                                         init,
                                         nullptr,
                                         [](const char*) -> const lotse_factory* { return nullptr; }};
