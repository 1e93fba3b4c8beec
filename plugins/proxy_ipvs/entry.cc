#include "plugins/proxy_ipvs/ipvs_proxy.h"

LOTSE_PLUGIN(proxy, "ipvs", "0.1.0", 0, "Services by the kernel's load balancer IPVS", lotse::proxy_ipvs::IpvsProxy)
