#include "plugins/runtime_containerd/runtime.h"

LOTSE_PLUGIN(runtime, "containerd", "0.1.0", 1, "containers by containerd, its own or the machine's",
             lotse::runtime_containerd::ContainerdRuntime)
