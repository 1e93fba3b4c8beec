// Share: what one Service puts into the table `lotse` of one family. Pure.
//
// A door is what traffic is sent to: an address, protocol and port, or a node port. Each door has one element that says which chain
// goes on, and one for each endpoint behind it; the chains are the same for all Services with as many endpoints. Only a Service with
// affinity has chains of its own, and a set for each endpoint that remembers its clients.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "plugins/service_table/table.h"

namespace lotse::proxy_nftables {

using service_table::Facts;
using service_table::Family;
using service_table::Service;

struct Element {
  const char* map;         // or set
  std::string key, value;  // value empty: of a set
  friend auto operator<=>(const Element& a, const Element& b) = default;
};

struct Door {
  std::string at;  // "10.96.0.20 . tcp . 80", "tcp . 30080"
  std::vector<Element> elements;
  std::set<std::string> chains;  // shared ones that the elements lead to: "inside-2"
};

struct Share {
  std::vector<Door> doors;
  std::set<std::string> hairpins;             // addresses of endpoints of this node
  std::map<std::string, std::string> sets;    // affinity: name -> its declaration
  std::map<std::string, std::string> chains;  // affinity: name -> its rules, a line each
};

Share share_of(const Service& service, const Facts& facts, Family family);

// The rules of a shared chain, by its name.
std::string chain_rules(const std::string& name, Family family);
inline const char* word(Family family) { return family == Family::kIPv4 ? "ip" : "ip6"; }

inline constexpr const char* kMark = "meta mark set meta mark or 0x4000\n";

}  // namespace lotse::proxy_nftables
