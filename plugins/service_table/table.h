// The table of Services, checked: the maps of abi/proxy.h as structs. What cannot be used becomes a problem, not a rule.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lotse/msgpack.hpp"

namespace lotse::service_table {

enum class Family : uint8_t { kIPv4, kIPv6 };

struct Endpoint {
  std::string ip;
  int port = 0;
  bool local = false, ready = true, serving = true, terminating = false;
};

struct Service {
  std::string id, protocol;  // protocol: "tcp"
  std::vector<std::string> cluster_ips, external_ips, load_balancer_ips, source_ranges;
  int port = 0, node_port = 0, affinity_s = 0, health_check_port = 0;
  bool internal_local = false, external_local = false;
  std::vector<Endpoint> endpoints;
};

struct Problem {
  std::string id, reason, message;
};

struct Facts {  // of the node and the cluster
  std::vector<std::string> pod_cidrs, cluster_cidrs, node_port_addresses, peer_addresses;
};

// Addresses and ports are checked here, so that the text of rules can be put together without another look.
bool is_address(const std::string& text, Family family);
bool is_network(const std::string& text, Family family);
std::vector<std::string> of_family(const std::vector<std::string>& texts, Family family, bool networks);
// false: the service cannot be used; *problem says why.
bool parse_service(const sdk::Msg& msg, Service* service, Problem* problem);
Facts parse_facts(const sdk::Msg& table);

}  // namespace lotse::service_table
