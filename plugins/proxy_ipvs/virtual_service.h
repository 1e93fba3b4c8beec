// A virtual service: an address, protocol and port that IPVS spreads over destinations; and what one Service port needs of the kernel
// in all. Values, no behaviour.
#pragma once
#include "plugins/service_table/table.h"

namespace lotse::proxy_ipvs {
using namespace service_table;

struct VirtualKey {
  Family family = Family::kIPv4;
  std::string protocol, ip;  // "tcp"; as inet_ntop writes it
  int port = 0;
  friend auto operator<=>(const VirtualKey&, const VirtualKey&) = default;
};

struct Destination {
  std::string ip;
  int port = 0;
  friend auto operator<=>(const Destination&, const Destination&) = default;
};

struct Virtual {
  std::string id;          // of the Service port
  int persistence_s = 0;   // 0: none
  std::set<Destination> destinations;
  friend bool operator==(const Virtual&, const Virtual&) = default;
};

// The kernel's sets (ipset) that the fixed iptables rules look into; fixed_rules.h tells which does what.
enum class Set : uint8_t { kAddresses, kCluster, kMasquerade, kLocal, kRanged, kRanges, kReject, kDrop, kOutside, kLoop, kPods };
inline constexpr Set kSets[] = {Set::kAddresses, Set::kCluster, Set::kMasquerade, Set::kLocal, Set::kRanged, Set::kRanges,
                                Set::kReject,    Set::kDrop,    Set::kOutside,    Set::kLoop,  Set::kPods};

struct Member {
  Family family = Family::kIPv4;
  Set set = Set::kAddresses;
  std::string entry;  // in ipset's words: "10.96.0.1,tcp:80"
  friend auto operator<=>(const Member&, const Member&) = default;
};

struct Wanted {
  std::map<VirtualKey, Virtual> virtuals;
  std::set<Member> members;
  std::map<Family, std::set<std::string>> inside;  // rules of LOTSEVS-INSIDE
};

}  // namespace lotse::proxy_ipvs
