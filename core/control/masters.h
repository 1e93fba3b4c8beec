// The masters of a cluster whose store several share: an object each, `lotse/masters` under the name of its node, which no API request
// reaches (workers trust the bus key in it), and a Lease each, kube-system/lotse-master-NAME, which it renews while it serves.
#pragma once
#include <string>
#include <vector>

#include "core/object/object.h"
#include "core/store/store.h"

namespace lotse::control {

inline constexpr const char* kMasters = "lotse/masters";
inline constexpr const char* kMasterLeasePrefix = "lotse-master-";
inline constexpr Duration kMasterLease = std::chrono::seconds(15);

struct MasterRecord {
  std::string name, api_address;
  int64_t api_port = 0;
  std::vector<std::string> endpoints;  // of the bus
  std::string bus_key;
  json::Value document() const;
  static MasterRecord of(const Object& object);
};

}  // namespace lotse::control
