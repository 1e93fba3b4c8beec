#include "plugins/proxy_none/none_proxy.h"

LOTSE_PLUGIN(proxy, "none", "0.1.0", 0, "leaves the kernel alone", lotse::proxy_none::NoneProxy)
