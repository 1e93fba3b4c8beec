// The few iptables rules around IPVS. There is one of each, however many Services: what differs is in the kernel's sets.
//
//   nat     PREROUTING, OUTPUT -> LOTSEVS-MARK: marks what must come back through this node
//                              -> LOTSEVS-INSIDE: pods and the node itself at an address with the external policy Local, of which some
//                                 endpoints are elsewhere: to the cluster IP. The only rules that belong to a Service
//           POSTROUTING -> LOTSEVS-MASQ: masquerades what is marked, and a pod that reaches itself
//   filter  INPUT -> LOTSEVS-GATE: refuses, drops, lets pass. IPVS takes what is addressed to a virtual service after INPUT
//           OUTPUT -> LOTSEVS-OUT: refuses what has no endpoints. (Before it IPVS has taken what has.)
//           FORWARD -> LOTSEVS-FORWARD: answers of pods, where the policy is DROP
//
// Sets of a family, each "LOTSEVS4-..." or "LOTSEVS6-...":
//   ADDRS   addresses that our interface holds             CLUSTER  cluster IP and port of what has endpoints
//   MASQ    external address or node port, any endpoint    LOCAL    the same with the local policy
//   RANGED  load balancer's address with source ranges     RANGES   the same with each range
//   REJECT  has no endpoint    DROP  has none here, by the internal policy    OUTSIDE  has none here, by the external policy
//   LOOP    local endpoint, its port, itself               PODS     the pod networks
#pragma once
#include "plugins/proxy_ipvs/virtual_service.h"
#include "plugins/service_table/iptables_program.h"

namespace lotse::proxy_ipvs {

inline constexpr const char* kPrefix = "LOTSEVS-";
inline constexpr const char* kInside = "LOTSEVS-INSIDE";

std::string set_name(Family family, Set set);
std::string set_type(Family family, Set set);  // "hash:ip,port family inet"
// inside: the rules of LOTSEVS-INSIDE.
std::map<std::string, Lines> chains_of(const std::string& table, Family family, const std::set<std::string>& inside);
std::string inside_text(const std::set<std::string>& inside);  // only that chain, anew
std::vector<Jump> fixed_jumps();

}  // namespace lotse::proxy_ipvs
