// Rules: what the kernel's tables must hold, as text in the language of iptables-restore. Pure: services in, lines out.
//
//   nat     PREROUTING, OUTPUT -> LOTSE-SERVICES -> LOTSE-CIP-x -> LOTSE-SVC-x -> LOTSE-SEP-y (DNAT)
//                              -> LOTSE-NODEPORTS -> LOTSE-EXT-x -> LOTSE-SVC-x | LOTSE-SVL-x (local endpoints only)
//           POSTROUTING -> LOTSE-POSTROUTING (MASQUERADE what is marked)
//   filter  INPUT, FORWARD, OUTPUT -> LOTSE-REJECT (no endpoints), LOTSE-FORWARD (lets pass what a policy of DROP would stop)
//
// x is a hash of the Service port's id, y of id and endpoint. LOTSE-SERVICES, LOTSE-NODEPORTS and LOTSE-REJECT gather one or a few
// lines of each Service; all other chains belong to one Service, so that a change of one touches nothing of the others.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "plugins/service_table/iptables_program.h"

namespace lotse::proxy_iptables {
using namespace service_table;

// What one Service port needs.
struct ServiceRules {
  std::map<std::string, Lines> chains;         // nat: chain -> rules without "-A chain"
  std::set<std::string> services, node_ports;  // nat: lines of the shared chains, likewise
  std::set<std::string> reject;                // filter
  std::set<std::string> endpoints;             // "ip:port" that traffic may be sent to: for conntrack
  friend bool operator==(const ServiceRules&, const ServiceRules&) = default;
};

ServiceRules rules_of(const Service& service, const Facts& facts, Family family);

inline constexpr const char* kServices = "LOTSE-SERVICES";
inline constexpr const char* kNodePorts = "LOTSE-NODEPORTS";
inline constexpr const char* kReject = "LOTSE-REJECT";
inline constexpr const char* kForward = "LOTSE-FORWARD";
inline constexpr const char* kMark = "LOTSE-MARK-MASQ";
inline constexpr const char* kPostrouting = "LOTSE-POSTROUTING";
inline constexpr const char* kPrefix = "LOTSE-";

// Chains that are always there: (chain, rules) by table; and the jumps from the kernel's own chains, by (table, chain, rule).
std::map<std::string, Lines> fixed_nat_chains();
std::map<std::string, Lines> fixed_filter_chains(Family family);
std::vector<Jump> jumps(Family family);

std::string chain_hash(const std::string& text);  // 13 characters

}  // namespace lotse::proxy_iptables
