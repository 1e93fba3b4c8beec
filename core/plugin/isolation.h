// Plugins in a process of their own: `isolation = "process"` in [plugins.runtime.*] and [plugins.proxy.*]. The instance that the core gets
// forwards every call to a lotse-plugin-host (sdk/isolation); what ends, hangs or uses too much there is started again with growing
// pauses, and the operator sees a fault meanwhile.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/config/key_table.h"
#include "core/plugin/host.h"
#include "lotse/abi/entry.h"

namespace lotse::plugin {

// The keys that the host adds to the sections of a kind: none where its plugins cannot be isolated.
const std::vector<config::Key>& isolation_keys(const std::string& kind);

struct Isolation {
  bool process = false;
  int64_t memory = 0;       // bytes; 0: no limit
  Duration patience{};      // beyond a call's deadline, and for its loop to answer
  // Takes its keys out of the values of a section.
  static Isolation take(MsgValue* values);
};

// [init] What create() of the plugin at `path` would give. `plugin_host` outlives it: its log, faults and paths are those of the plugin.
Result<const lotse_instance*> create_isolated(const Host& host, const PluginHost& plugin_host, const Isolation& isolation,
                                              const std::string& path, const std::string& kind, const std::string& name,
                                              const MsgValue& values);

}  // namespace lotse::plugin
