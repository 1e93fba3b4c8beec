#include "plugins/service_table/endpoint_choice.h"

namespace lotse::service_table {

std::vector<const Endpoint*> usable(const Service& s, Family family, bool local_only) {
  std::vector<const Endpoint*> ready, ending;
  for (const auto& e : s.endpoints) {
    if (!is_address(e.ip, family) || (local_only && !e.local)) continue;
    if (e.ready) ready.push_back(&e);
    else if (e.serving && e.terminating) ending.push_back(&e);
  }
  return ready.empty() ? ending : ready;
}

std::string at(const Endpoint& e, Family family) {
  return (family == Family::kIPv6 ? "[" + e.ip + "]" : e.ip) + ":" + std::to_string(e.port);
}

}  // namespace lotse::service_table
