#include "plugins/proxy_ipvs/wanted.h"

#include <arpa/inet.h>

#include "plugins/proxy_ipvs/fixed_rules.h"
#include "plugins/service_table/endpoint_choice.h"

namespace lotse::proxy_ipvs {
namespace {

using Endpoints = std::vector<const Endpoint*>;

class Maker {
 public:
  Maker(const Service& s, const Facts& facts, const Addresses& addresses, Family family)
      : s_(s), facts_(facts), addresses_(addresses), family_(family), all_(usable(s, family, false)), local_(usable(s, family, true)) {}

  Wanted make() {
    const auto cluster_ips = of_family(s_.cluster_ips, family_, false);
    if (cluster_ips.empty()) return {};
    for (const auto& ip : cluster_ips) cluster_ip(canonical(ip, family_));
    for (const auto& ip : of_family(s_.external_ips, family_, false)) named(canonical(ip, family_), false);
    for (const auto& ip : of_family(s_.load_balancer_ips, family_, false)) named(canonical(ip, family_), true);
    if (s_.node_port)
      for (const auto& ip : addresses_.node_ports) external(ip, s_.node_port);
    return std::move(out_);
  }

 private:
  void put(Set set, const std::string& entry) { out_.members.insert({family_, set, entry}); }
  std::string place(const std::string& ip, int port) const { return ip + "," + s_.protocol + ":" + std::to_string(port); }

  void cluster_ip(const std::string& ip) {
    hold(ip);
    if (all_.empty()) put(Set::kReject, place(ip, s_.port));
    const Endpoints& endpoints = s_.internal_local ? local_ : all_;
    if (!endpoints.empty()) put(Set::kCluster, place(ip, s_.port));
    else if (!all_.empty()) put(Set::kDrop, place(ip, s_.port));
    serve(ip, s_.port, endpoints);
  }

  // An external or load-balancer address. Where it is another node's own, that node answers.
  void named(const std::string& ip, bool ranged) {
    if (std::find(facts_.peer_addresses.begin(), facts_.peer_addresses.end(), ip) != facts_.peer_addresses.end()) return;
    hold(ip);
    external(ip, s_.port);
    if (!ranged || s_.source_ranges.empty()) return;
    bool everybody = false;
    std::set<std::string> entries;
    for (const auto& range : of_family(s_.source_ranges, family_, true)) {
      if (range.ends_with("/0")) everybody = true;  // a set cannot hold that
      entries.insert(place(ip, s_.port) + "," + range);
    }
    if (everybody) return;
    put(Set::kRanged, place(ip, s_.port));
    for (const auto& entry : entries) put(Set::kRanges, entry);
  }

  void external(const std::string& ip, int port) {
    if (all_.empty()) {
      put(Set::kReject, place(ip, port));
      return serve(ip, port, all_);
    }
    if (!s_.external_local) {
      put(Set::kMasquerade, place(ip, port));
      return serve(ip, port, all_);
    }
    // Without an endpoint here, pods and the node itself are sent elsewhere, and all others nowhere.
    put(Set::kLocal, place(ip, port));
    if (local_.empty()) put(Set::kOutside, place(ip, port));
    serve(ip, port, local_.empty() ? all_ : local_);
    if (!local_.empty() && local_.size() < all_.size()) turn_inside(ip, port);
  }

  // Pods and the node itself are not bound by the external policy: they are sent to the cluster IP, which has all endpoints.
  void turn_inside(const std::string& ip, int port) {
    if (s_.internal_local) return;
    const std::string cluster_ip = canonical(of_family(s_.cluster_ips, family_, false).front(), family_);
    const std::string match = "-d " + ip + (family_ == Family::kIPv4 ? "/32" : "/128") + " -p " + s_.protocol + " -m " + s_.protocol + " --dport " + std::to_string(port);
    const std::string to = " -j DNAT --to-destination " + at({cluster_ip, s_.port}, family_);
    out_.inside[family_].insert(match + " -m set --match-set " + set_name(family_, Set::kPods) + " src" + to);
    out_.inside[family_].insert(match + " -m addrtype --src-type LOCAL" + to);
  }

  // An interface of ours has the address, so that what is sent there comes to us; a node's own address it has already.
  void hold(const std::string& ip) {
    if (!addresses_.own.contains(ip)) put(Set::kAddresses, ip);
  }

  // Without endpoints too: those that are there may still have connections.
  void serve(const std::string& ip, int port, const Endpoints& endpoints) {
    Virtual& v = out_.virtuals[{family_, s_.protocol, ip, port}];
    v.id = s_.id;
    v.persistence_s = s_.affinity_s;
    for (const auto* e : endpoints) {
      const std::string to = canonical(e->ip, family_);
      v.destinations.insert({to, e->port});
      if (e->local) put(Set::kLoop, place(to, e->port) + "," + to);
    }
  }

  const Service& s_;
  const Facts& facts_;
  const Addresses& addresses_;
  Family family_;
  Endpoints all_, local_;
  Wanted out_;
};

}  // namespace

std::string canonical(const std::string& ip, Family family) {
  const int af = family == Family::kIPv4 ? AF_INET : AF_INET6;
  char raw[16], text[INET6_ADDRSTRLEN];
  if (inet_pton(af, ip.c_str(), raw) != 1 || !inet_ntop(af, raw, text, sizeof text)) return ip;
  return text;
}

bool in_network(const std::string& ip, const std::string& cidr, Family family) {
  if (!is_network(cidr, family) || !is_address(ip, family)) return false;
  const int af = family == Family::kIPv4 ? AF_INET : AF_INET6;
  const size_t slash = cidr.find('/');
  unsigned char a[16], b[16];
  inet_pton(af, ip.c_str(), a);
  inet_pton(af, cidr.substr(0, slash).c_str(), b);
  const int bits = std::stoi(cidr.substr(slash + 1));
  for (int i = 0; i < bits; ++i)
    if ((a[i / 8] ^ b[i / 8]) & (0x80 >> (i % 8))) return false;
  return true;
}

Wanted wanted_of(const Service& service, const Facts& facts, const Addresses& addresses, Family family) {
  return Maker(service, facts, addresses, family).make();
}

std::set<Member> common_members(const Facts& facts, Family family) {
  std::set<Member> out;
  for (const auto& cidr : of_family(facts.cluster_cidrs.empty() ? facts.pod_cidrs : facts.cluster_cidrs, family, true))
    if (!cidr.ends_with("/0")) out.insert({family, Set::kPods, cidr});
  return out;
}

}  // namespace lotse::proxy_ipvs
