#include "plugins/proxy_nftables/nftables_proxy.h"

LOTSE_PLUGIN(proxy, "nftables", "0.1.0", 0, "Services by nftables maps", lotse::proxy_nftables::NftablesProxy)
