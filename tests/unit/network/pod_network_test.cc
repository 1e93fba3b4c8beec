#include <catch2/catch.hpp>

#include "core/network/dns_server.h"
#include "core/network/pod_network.h"
#include "core/object/json.h"

using namespace lotse;
using namespace lotse::network;

namespace {

PodNetwork::Config config() {
  PodNetwork::Config c;
  c.cni_dir = "/cni";
  c.ipam_dir = "/ipam";
  c.cluster_cidrs = {"10.244.0.0/16", "fd00:10::/48"};
  return c;
}
size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("the CNI list is a bridge with a range a family, and host ports") {
  auto v = *json::parse(PodNetwork::conflist(config(), {"10.244.3.0/24", "fd00:10:0:3::/64"}, 1450));
  const auto& bridge = v["plugins"].at(0);
  CHECK(bridge["type"].str() == "bridge");
  CHECK(bridge["mtu"].integer() == 1450);
  CHECK(bridge["hairpinMode"].boolean(false));
  CHECK(bridge["ipam"]["ranges"].at(0).at(0)["subnet"].str() == "10.244.3.0/24");
  CHECK(bridge["ipam"]["routes"].at(1)["dst"].str() == "::/0");
  CHECK(v["plugins"].at(1)["type"].str() == "portmap");
}

TEST_CASE("the rules of a family name only its networks") {
  const std::string four = PodNetwork::rules(config(), {"10.244.3.0/24", "fd00:10:0:3::/64"}, false, "", "");
  CHECK(count(four, "fd00") == 0);
  CHECK(count(four, "-s 10.244.3.0/24 -j MASQUERADE") == 1);
  CHECK(four.find("-d 10.244.0.0/16 -j RETURN") < four.find("MASQUERADE"));
  const std::string six = PodNetwork::rules(config(), {"10.244.3.0/24", "fd00:10:0:3::/64"}, true, "", "");
  CHECK(count(six, "10.244") == 0);
  CHECK(count(six, "-s fd00:10:0:3::/64 -j MASQUERADE") == 1);
}

TEST_CASE("a jump that is there already is not made twice") {
  const std::string first = PodNetwork::rules(config(), {"10.244.3.0/24"}, false, "", "");
  CHECK(count(first, "-A POSTROUTING -j LOTSENET-MASQ") == 1);
  CHECK(count(first, "-I FORWARD 1 -j LOTSENET-FORWARD") == 1);
  const std::string again = PodNetwork::rules(config(), {"10.244.3.0/24"}, false, "-A POSTROUTING -j LOTSENET-MASQ\n", "-A FORWARD -j LOTSENET-FORWARD\n");
  CHECK(count(again, "-A POSTROUTING") == 0);
  CHECK(count(again, "-I FORWARD") == 0);
}

TEST_CASE("each family goes directly where it can, else through the tunnel") {
  const std::vector<NodeNetwork> nodes = {{"both", {"192.0.2.2", "2001:db8::2"}, {"10.244.2.0/24", "fd00:10:0:2::/64"}},
                                          {"four", {"192.0.2.3"}, {"10.244.3.0/24", "fd00:10:0:3::/64"}},
                                          {"away", {"198.51.100.4", "2001:db8:1::4"}, {"10.244.4.0/24", "fd00:10:0:4::/64"}}};
  auto on_link = [](const std::string& ip) { return ip.starts_with("192.0.2.") || ip.starts_with("2001:db8::"); };
  auto mixed = PodNetwork::paths(config(), nodes, on_link);
  CHECK(mixed.routes == std::vector<Route>{{"10.244.2.0/24", "192.0.2.2", "", false},
                                           {"fd00:10:0:2::/64", "2001:db8::2", "", false},
                                           {"10.244.3.0/24", "192.0.2.3", "", false},
                                           {"fd00:10:0:3::/64", "fd00:10:0:3::", "lotse.vx", true},
                                           {"10.244.4.0/24", "10.244.4.0", "lotse.vx", true},
                                           {"fd00:10:0:4::/64", "fd00:10:0:4::", "lotse.vx", true}});
  REQUIRE(mixed.neighbours.size() == 3);
  CHECK(mixed.neighbours[0] == Neighbour{"fd00:10:0:3::", PodNetwork::tunnel_mac("192.0.2.3"), "192.0.2.3"});
  CHECK(mixed.neighbours[2].node_ip == "198.51.100.4");

  auto routed = config();
  routed.backend = "routes";
  auto routes = PodNetwork::paths(routed, nodes, on_link);
  CHECK(routes.neighbours.empty());
  CHECK(routes.routes.size() == 5);  // nothing leads to the IPv6 pods of a node without an IPv6 address
  auto tunnelled = config();
  tunnelled.backend = "vxlan";
  CHECK(PodNetwork::paths(tunnelled, nodes, on_link).neighbours.size() == 6);
}

TEST_CASE("a tunnel's MAC is its node's, the same whoever reckons it, and locally administered") {
  CHECK(PodNetwork::tunnel_mac("192.0.2.1") == PodNetwork::tunnel_mac("192.0.2.1"));
  CHECK(PodNetwork::tunnel_mac("192.0.2.1") != PodNetwork::tunnel_mac("192.0.2.2"));
  CHECK(PodNetwork::tunnel_mac("192.0.2.1").starts_with("0e:"));
  CHECK(PodNetwork::tunnel_mac("192.0.2.1").size() == 17);
}

TEST_CASE("the machine's name servers, without ourselves") {
  CHECK(dns::nameservers("# comment\nsearch x\nnameserver 192.0.2.53\nnameserver 10.96.0.10\noptions ndots:5\nnameserver  2001:db8::53 \n", {"10.96.0.10"}) ==
        std::vector<std::string>{"192.0.2.53", "2001:db8::53"});
  CHECK(dns::nameservers("", {}).empty());
  CHECK(dns::nameservers("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n", {}).size() == 3);
}

TEST_CASE("the chains of host ports go with the last of them, and not before") {
  const std::string common = ":CNI-HOSTPORT-DNAT - [0:0]\n:CNI-HOSTPORT-MASQ - [0:0]\n";
  const std::string jumps = "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n-A POSTROUTING -m comment -j CNI-HOSTPORT-MASQ\n"
                            "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE\n";
  CHECK(PodNetwork::without_host_ports("*nat\n:PREROUTING ACCEPT [0:0]\n" + common + jumps + "COMMIT\n") ==
        "*nat\n" + common +
            "-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n-D POSTROUTING -m comment -j CNI-HOSTPORT-MASQ\n"
            "-X CNI-HOSTPORT-DNAT\n-X CNI-HOSTPORT-MASQ\nCOMMIT\n");
  CHECK(PodNetwork::without_host_ports("*nat\n" + common + ":CNI-DN-0a1b - [0:0]\n" + jumps).empty());
  CHECK(PodNetwork::without_host_ports("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n").empty());
}
