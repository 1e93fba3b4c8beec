// What a service wants of addresses, before anything is taken: a pure function of the service as it shall be and as it was.
#pragma once
#include "core/api/service_addresses.h"

namespace lotse::api {

struct AddressWish {
  enum class What : uint8_t { kIp, kPort } what = What::kIp;
  size_t range = 0;          // kIp: which of the ranges
  std::string value;         // "": any
  std::string field;         // for complaints: "spec.clusterIPs[0]"
  std::vector<size_t> ports; // kPort: indexes in spec.ports that share it; empty: healthCheckNodePort
};
struct AddressPlan {
  std::vector<AddressWish> wishes;
  std::vector<Cause> causes;  // not empty: it cannot be
};
// Also fills in what needs no reservation: families, policy, values carried over from the old service.
AddressPlan plan_addresses(json::Value* service, const json::Value* old, const std::vector<AddressRange>& ranges, std::pair<int, int> ports);

}  // namespace lotse::api
