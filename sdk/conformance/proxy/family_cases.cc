#include "sdk/conformance/check.h"
#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

void need_six(ProxyBed& bed) {
  if (!bed.six()) check::skip("this kernel or this proxy has no IPv6");
}

void cluster_ip(ProxyBed& bed) {
  need_six(bed);
  TestService s{.cluster_ips = {"fd00:96::20"},
                .endpoints = {bed.at("one", true), bed.at("two", true), bed.at("far", true)}};
  TestService udp{
      .id = "default/udp:", .protocol = "UDP", .cluster_ips = {"fd00:96::21"}, .endpoints = {bed.at("one", true)}};
  bed.resync({s, udp});
  for (const char* from : {"caller", "node", "client"})
    bed.expect_from({"one", "two", "far"}, from, "fd00:96::20", 80, "an IPv6 cluster IP");
  bed.expect_from({"one"}, "caller", "fd00:96::21", 80, "an IPv6 cluster IP by UDP", Protocol::kUdp);
  bed.expect_from({"one"}, "one", "fd00:96::21", 80, "a pod that reaches itself by UDP", Protocol::kUdp);
}

void outside(ProxyBed& bed) {
  need_six(bed);
  TestService s{.cluster_ips = {"fd00:96::20"},
                .node_port = 30080,
                .external_ips = {"2001:db8::20"},
                .load_balancer_ips = {"2001:db8::10"},
                .source_ranges = {"fd00:192::/64"},
                .endpoints = {bed.at("one", true), bed.at("far", true)}};
  bed.resync({s});
  bed.expect_from({"one", "far"}, "client", "fd00:192::1", 30080, "an IPv6 node port");
  bed.expect_from({"one", "far"}, "client", "2001:db8::20", 80, "an IPv6 external IP");
  bed.expect_from({"one", "far"}, "client", "2001:db8::10", 80, "an IPv6 load balancer's address");
  bed.expect_silence("caller", "2001:db8::10", 80, "a pod outside the source ranges");
  s.source_ranges = {};
  s.external_local = true;
  bed.apply({s});
  bed.expect_from({"one"}, "client", "2001:db8::10", 80, "an external policy of Local");
  require(bed.expect_answer("client", "fd00:192::1", 30080, "an external policy of Local", Protocol::kTcp,
                            bed.lab().ip("client", true))
                  .source == bed.lab().ip("client", true),
          "with an external policy of Local the client's IPv6 address is lost");
  s.endpoints = {};
  bed.apply({s});
  for (const char* from : {"caller", "client", "node"})
    bed.expect_refused(from, "fd00:96::20", 80, "an IPv6 cluster IP without endpoints");
}

void affinity(ProxyBed& bed) {
  need_six(bed);
  bed.resync({{.cluster_ips = {"fd00:96::20"},
               .affinity_s = 300,
               .endpoints = {bed.at("one", true), bed.at("two", true), bed.at("far", true)}}});
  const std::string first = bed.expect_answer("caller", "fd00:96::20", 80, "affinity").who;
  for (int i = 0; i < 12; ++i)
    require(bed.expect_answer("caller", "fd00:96::20", 80, "affinity").who == first,
            "affinity does not hold with IPv6");
}

void dual(ProxyBed& bed) {
  need_six(bed);
  TestService s{.cluster_ips = {"10.96.0.20", "fd00:96::20"},
                .node_port = 30080,
                .endpoints = {bed.at("one"), bed.at("two", true)}};
  bed.resync({s});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "the IPv4 side of a dual-stack service");
  bed.expect_from({"two"}, "caller", "fd00:96::20", 80, "the IPv6 side of a dual-stack service");
  bed.expect_from({"one"}, "client", "192.0.2.1", 30080, "the IPv4 side of a node port");
  bed.expect_from({"two"}, "client", "fd00:192::1", 30080, "the IPv6 side of a node port");
  s.endpoints = {bed.at("far"), bed.at("far", true)};
  bed.apply({s});
  bed.expect_from({"far"}, "caller", "10.96.0.20", 80, "a change of both sides");
  bed.expect_from({"far"}, "caller", "fd00:96::20", 80, "a change of both sides");
  s.endpoints = {bed.at("far")};
  bed.apply({s});
  bed.expect_refused("caller", "fd00:96::20", 80, "a side without endpoints");
}

void udp_stale(ProxyBed& bed) {
  need_six(bed);
  TestService s{.protocol = "UDP", .cluster_ips = {"fd00:96::20"}, .endpoints = {bed.at("one", true)}};
  bed.resync({s});
  Talk talk = bed.lab().talk("caller", "fd00:96::20", 80, Protocol::kUdp);
  require(talk.again().who == "one", "UDP does not lead where it should");
  s.endpoints = {bed.at("two", true)};
  bed.apply({s});
  require(talk.again().who == "two", "an IPv6 UDP flow stays with an endpoint that is gone");
}

}  // namespace

std::vector<ProxyCase> family_cases() {
  return {{"ipv6.cluster-ip", "IPv6 cluster IPs reach IPv6 endpoints", false, cluster_ip},
          {"ipv6.outside", "so do node ports, external and load balancers' addresses", false, outside},
          {"ipv6.affinity", "affinity holds with IPv6", false, affinity},
          {"ipv6.udp-stale", "IPv6 UDP flows leave an endpoint that is gone", false, udp_stale},
          {"dual-stack", "a dual-stack Service has endpoints of each family", false, dual}};
}

}  // namespace lotse::conformance
