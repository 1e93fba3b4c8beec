// Which endpoints of a Service count.
#pragma once
#include "plugins/service_table/table.h"

namespace lotse::service_table {

// Ready endpoints; if there is none, those that still serve while they end (KEP-1669).
std::vector<const Endpoint*> usable(const Service& service, Family family, bool local_only);
// "10.0.0.1:80", "[fd00::1]:80"
std::string at(const Endpoint& endpoint, Family family);

}  // namespace lotse::service_table
