// Ruleset: the text that nftables is told for one family; it knows what the kernel holds after each. No kernel in here.
//
//   nat     prerouting, output -> services: address . protocol . port -> vmap @services -> inside-N | outside-N | split-N: DNAT to
//             @endpoints by address . protocol . port . (a random number below N); else, on own addresses, vmap @node_ports -> port-N ...
//           postrouting: masquerade what is marked, and what goes back to where it came from
//   filter  prerouting, output (early): @guarded doors let in @allowed sources only
//           input, forward, output: @no_endpoints -> refuse or drop
//
// A change of one Service is a few elements. Two Services that want one door: the one with the lower id has it, the other waits.
#pragma once
#include <unordered_map>

#include "plugins/proxy_nftables/share.h"

namespace lotse::proxy_nftables {

class Ruleset {
 public:
  explicit Ruleset(Family family) : family_(family) {}
  using Services = std::map<std::string, Service>;

  // Everything anew, in place of whatever the table holds. `clients`: lines that put back what affinity remembered.
  std::string full(const Services& services, const Facts& facts);
  // From before (of ids; absent: it was not there) to what services say now. Empty: nothing to do.
  std::string change(const Services& before, const std::set<std::string>& ids, const Services& services, const Facts& facts);
  std::string removal() const;
  // Sets of affinity that there are now.
  bool has_set(const std::string& name) const { return sets_.contains(name); }
  // Service ids that do not have all their doors, with what they lack.
  std::map<std::string, std::string> waiting() const;

 private:
  struct Delta;
  void admit(const std::string& id, const Share& share, Delta* delta);
  void withdraw(const std::string& id, const Share& share, Delta* delta);
  std::set<std::string> concerned(const Services& before, const std::set<std::string>& ids, const Services& services, const Facts& facts) const;
  std::string text(const Delta& delta) const;
  std::string frame(const Facts& facts) const;

  Family family_;
  std::unordered_map<std::string, std::string> owners_;       // door -> id
  std::map<std::string, std::set<std::string>> waiting_;      // door -> ids that want it too
  std::unordered_map<std::string, int> hairpins_;             // by how many Services
  std::map<std::string, int> chains_;                         // shared chains: by how many doors
  std::set<std::string> sets_;
};

}  // namespace lotse::proxy_nftables
