// A UDP flow keeps going where conntrack remembers it: what led to an endpoint that is gone, or past a Service that had none, must be
// forgotten when the table changes.
#pragma once
#include "lotse/host.hpp"
#include "plugins/service_table/service_table.h"

namespace lotse::service_table {

// [worker] By the program conntrack; what it cannot do is logged.
void forget_stale_connections(const sdk::Host& host, const ServiceTable& now, const ServiceTable::Changes& changes);
// The selections of flows, as conntrack's arguments; pure.
std::vector<std::vector<std::string>> stale_flows(const Service* before, const Service* now);

}  // namespace lotse::service_table
