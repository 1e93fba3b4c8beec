// The few iptables rules around IPVS. There is one of each, however many Services: what differs is in the kernel's sets.
//
//   nat     PREROUTING, OUTPUT -> LOTSEVS-MARK: marks what must come back through this node
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

std::string set_name(Family family, Set set);
std::string set_type(Family family, Set set);  // "hash:ip,port family inet"
std::map<std::string, Lines> fixed_chains(const std::string& table, Family family);
std::vector<Jump> fixed_jumps();

}  // namespace lotse::proxy_ipvs
