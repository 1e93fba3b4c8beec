// What a cluster is set to when it is made, and kept in it from then on: the networks and the domain. Workers are told over the bus.
#pragma once
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/config/config.h"
#include "core/store/store.h"

namespace lotse::daemon {

struct ClusterSettings {
  std::vector<std::string> pod_cidrs, service_cidrs;
  std::string domain, backend;
  std::string ca_pem;
  std::string api_address;  // "192.0.2.1:6443": where a master's REST is
  std::vector<std::string> dns_addresses() const;  // the tenth of each service network
  std::string first_service_address() const;

  Bytes encode() const;  // MessagePack, for workers
  static Result<ClusterSettings> decode(std::string_view bytes);
};

// The n-th address of a network in CIDR form; empty: there is none.
std::string nth_address(const std::string& cidr, uint64_t n);

// Keeps the settings of the file if the cluster is new; refuses a file that differs from what is kept, naming both.
Result<ClusterSettings> settle_cluster(store::Store& store, const config::Config::Network& network, const std::string& file);

}  // namespace lotse::daemon
