// What a Service port needs of the kernel. Pure: the table in, virtual services and members of sets out.
#pragma once
#include "plugins/proxy_ipvs/virtual_service.h"

namespace lotse::proxy_ipvs {

// Addresses of this machine, of the family, in the kernel's words.
struct Addresses {
  std::set<std::string> own;         // all that are up, without loopback and without ours
  std::set<std::string> node_ports;  // those of them on which node ports answer
  friend bool operator==(const Addresses&, const Addresses&) = default;
};

Wanted wanted_of(const Service& service, const Facts& facts, const Addresses& addresses, Family family);
// Members that belong to no Service: the pod networks.
std::set<Member> common_members(const Facts& facts, Family family);

bool in_network(const std::string& ip, const std::string& cidr, Family family);
// The text that inet_ntop makes of it: "fd00::1" for "fd00:0::0001".
std::string canonical(const std::string& ip, Family family);

}  // namespace lotse::proxy_ipvs
