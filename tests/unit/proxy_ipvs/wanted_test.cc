#include <catch2/catch.hpp>

#include "plugins/proxy_ipvs/fixed_rules.h"
#include "plugins/proxy_ipvs/sets.h"
#include "plugins/proxy_ipvs/wanted.h"

using namespace lotse::proxy_ipvs;

namespace {

const Facts kFacts{{"10.244.1.0/24"}, {"10.244.0.0/16"}, {}, {"192.0.2.2"}};
const Addresses kAddresses{{"192.0.2.1", "10.244.1.1"}, {"192.0.2.1"}};

Service web() {
  Service s;
  s.id = "default/web:http";
  s.protocol = "tcp";
  s.cluster_ips = {"10.96.0.20"};
  s.port = 80;
  s.endpoints = {{"10.244.1.5", 8080, true}, {"10.244.2.7", 8080, false}};
  return s;
}

Wanted four(const Service& s) { return wanted_of(s, kFacts, kAddresses, Family::kIPv4); }
VirtualKey key(const std::string& ip, int port, const std::string& protocol = "tcp") { return {Family::kIPv4, protocol, ip, port}; }
bool has(const Wanted& w, Set set, const std::string& entry) { return w.members.contains({Family::kIPv4, set, entry}); }
const std::set<Destination> kBoth{{"10.244.1.5", 8080}, {"10.244.2.7", 8080}}, kLocal{{"10.244.1.5", 8080}};

}  // namespace

TEST_CASE("a cluster IP is a virtual service with every endpoint") {
  const Wanted w = four(web());
  REQUIRE(w.virtuals.size() == 1);
  CHECK(w.virtuals.at(key("10.96.0.20", 80)).destinations == kBoth);
  CHECK(has(w, Set::kAddresses, "10.96.0.20"));
  CHECK(has(w, Set::kCluster, "10.96.0.20,tcp:80"));
  CHECK(has(w, Set::kLoop, "10.244.1.5,tcp:8080,10.244.1.5"));
  CHECK_FALSE(has(w, Set::kLoop, "10.244.2.7,tcp:8080,10.244.2.7"));  // only a pod of this node comes back here
}

TEST_CASE("what has no endpoints is refused, and keeps its virtual service for those that end") {
  Service s = web();
  s.node_port = 30080;
  s.endpoints.clear();
  const Wanted w = four(s);
  CHECK(has(w, Set::kReject, "10.96.0.20,tcp:80"));
  CHECK(has(w, Set::kReject, "192.0.2.1,tcp:30080"));
  CHECK_FALSE(has(w, Set::kCluster, "10.96.0.20,tcp:80"));
  CHECK(w.virtuals.at(key("10.96.0.20", 80)).destinations.empty());
}

TEST_CASE("a node port is a virtual service on each address that node ports answer on") {
  Service s = web();
  s.node_port = 30080;
  const Wanted w = four(s);
  CHECK(w.virtuals.at(key("192.0.2.1", 30080)).destinations == kBoth);
  CHECK_FALSE(w.virtuals.contains(key("10.244.1.1", 30080)));
  CHECK(has(w, Set::kMasquerade, "192.0.2.1,tcp:30080"));
  CHECK_FALSE(has(w, Set::kAddresses, "192.0.2.1"));
}

TEST_CASE("an external policy of Local keeps outsiders at local endpoints and turns pods inside") {
  Service s = web();
  s.external_ips = {"203.0.113.20"};
  s.external_local = true;
  Wanted w = four(s);
  CHECK(w.virtuals.at(key("203.0.113.20", 80)).destinations == kLocal);
  CHECK(has(w, Set::kLocal, "203.0.113.20,tcp:80"));
  CHECK_FALSE(has(w, Set::kMasquerade, "203.0.113.20,tcp:80"));
  REQUIRE(w.inside[Family::kIPv4].size() == 2);
  CHECK(inside_text(w.inside[Family::kIPv4]).find("-d 203.0.113.20/32 -p tcp -m tcp --dport 80 -m set --match-set LOTSEVS4-PODS src -j DNAT --to-destination 10.96.0.20:80") != std::string::npos);
  s.endpoints.erase(s.endpoints.begin());
  w = four(s);
  CHECK(has(w, Set::kOutside, "203.0.113.20,tcp:80"));
  CHECK(w.virtuals.at(key("203.0.113.20", 80)).destinations.size() == 1);
  CHECK(w.inside.empty());
}

TEST_CASE("an internal policy of Local drops where no endpoint is local") {
  Service s = web();
  s.internal_local = true;
  CHECK(four(s).virtuals.at(key("10.96.0.20", 80)).destinations == kLocal);
  s.endpoints.erase(s.endpoints.begin());
  CHECK(has(four(s), Set::kDrop, "10.96.0.20,tcp:80"));
}

TEST_CASE("addresses of nodes are not taken") {
  Service s = web();
  s.load_balancer_ips = {"192.0.2.1", "192.0.2.2", "203.0.113.10"};
  const Wanted w = four(s);
  CHECK(w.virtuals.contains(key("192.0.2.1", 80)));        // our own: served, not held
  CHECK_FALSE(has(w, Set::kAddresses, "192.0.2.1"));
  CHECK_FALSE(w.virtuals.contains(key("192.0.2.2", 80)));  // another node's: it answers
  CHECK_FALSE(has(w, Set::kAddresses, "192.0.2.2"));
  CHECK(has(w, Set::kAddresses, "203.0.113.10"));
}

TEST_CASE("source ranges bind a load balancer's addresses only; a range of all is none") {
  Service s = web();
  s.external_ips = {"203.0.113.20"};
  s.load_balancer_ips = {"203.0.113.10"};
  s.source_ranges = {"192.0.2.0/24", "fd00::/8"};
  Wanted w = four(s);
  CHECK(has(w, Set::kRanged, "203.0.113.10,tcp:80"));
  CHECK(has(w, Set::kRanges, "203.0.113.10,tcp:80,192.0.2.0/24"));
  CHECK_FALSE(has(w, Set::kRanged, "203.0.113.20,tcp:80"));
  s.source_ranges.push_back("0.0.0.0/0");
  CHECK_FALSE(has(four(s), Set::kRanged, "203.0.113.10,tcp:80"));
}

TEST_CASE("IPv6 addresses are written as the kernel writes them") {
  Service s = web();
  s.cluster_ips = {"10.96.0.20", "fd00:0::0020"};
  s.endpoints.push_back({"FD00:1::5", 8080});
  const Wanted w = wanted_of(s, kFacts, {}, Family::kIPv6);
  CHECK(w.virtuals.at({Family::kIPv6, "tcp", "fd00::20", 80}).destinations == std::set<Destination>{{"fd00:1::5", 8080}});
  CHECK(in_network("fd00:1::5", "fd00:1::/64", Family::kIPv6));
  CHECK_FALSE(in_network("10.244.1.5", "10.244.2.0/23", Family::kIPv4));
}

TEST_CASE("sets are swapped in whole, and changed by lines") {
  const std::string whole = whole_sets_text(Family::kIPv4, {{Family::kIPv4, Set::kCluster, "10.96.0.20,tcp:80"}, {Family::kIPv6, Set::kCluster, "fd00::20,tcp:80"}});
  CHECK(whole.find("create LOTSEVS4-CLUSTER hash:ip,port family inet ") != std::string::npos);
  CHECK(whole.find("add LOTSEVS4-CLUSTER-NEW 10.96.0.20,tcp:80\n") != std::string::npos);
  CHECK(whole.find("swap LOTSEVS4-CLUSTER-NEW LOTSEVS4-CLUSTER\n") != std::string::npos);
  CHECK(whole.find("fd00") == std::string::npos);
  CHECK(set_changes_text({{Family::kIPv4, Set::kReject, "a"}}, {{Family::kIPv6, Set::kLocal, "b"}}) == "del LOTSEVS4-REJECT a\nadd LOTSEVS6-LOCAL b\n");
  CHECK(set_removal_text("DOCKER\nLOTSEVS4-CLUSTER\n") == "destroy LOTSEVS4-CLUSTER\n");
}

TEST_CASE("the rules look into sets of their family, and none names a Service") {
  for (Family family : {Family::kIPv4, Family::kIPv6})
    for (const char* table : {"nat", "filter"})
      for (const auto& [chain, lines] : chains_of(table, family, {}))
        for (const auto& line : lines) CHECK(line.find(family == Family::kIPv4 ? "LOTSEVS6" : "LOTSEVS4") == std::string::npos);
  CHECK(chains_of("nat", Family::kIPv4, {"-d 203.0.113.20/32"}).at(kInside) == Lines{"-d 203.0.113.20/32"});
}
