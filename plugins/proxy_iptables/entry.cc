#include "plugins/proxy_iptables/iptables_proxy.h"

LOTSE_PLUGIN(proxy, "iptables", "0.1.0", 0, "Services by iptables rules", lotse::proxy_iptables::IptablesProxy)
