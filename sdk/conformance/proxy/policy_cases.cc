#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

void internal_local(ProxyBed& bed) {
  TestService s{.node_port = 30080, .internal_local = true, .endpoints = {bed.at("one"), bed.at("far")}};
  bed.resync({s});
  for (const char* from : {"caller", "node"})
    bed.expect_from({"one"}, from, "10.96.0.20", 80, "an internal policy of Local");
  bed.expect_from({"one", "far"}, "client", "192.0.2.1", 30080, "a node port, which the internal policy does not bind");
  s.endpoints = {bed.at("far")};
  bed.apply({s});
  bed.expect_no_answer("caller", "10.96.0.20", 80, "an internal policy of Local without a local endpoint");
  bed.expect_from({"far"}, "client", "192.0.2.1", 30080, "a node port, which the internal policy does not bind");
}

void external_local(ProxyBed& bed) {
  TestService s{.node_port = 30080,
                .external_ips = {"203.0.113.20"},
                .load_balancer_ips = {"203.0.113.10"},
                .external_local = true,
                .endpoints = {bed.at("one"), bed.at("far")}};
  bed.resync({s});
  const std::vector<std::pair<std::string, int>> doors = {
      {"192.0.2.1", 30080}, {"203.0.113.10", 80}, {"203.0.113.20", 80}};
  for (const auto& [ip, port] : doors) {
    bed.expect_from({"one"}, "client", ip, port, "an external policy of Local");
    require(bed.expect_answer("client", ip, port, "an external policy of Local").source == bed.lab().ip("client"),
            "with an external policy of Local the client's address is lost on the way to " + ip);
  }
  bed.expect_from({"one", "far"}, "caller", "203.0.113.10", 80, "a pod, for which an external policy does not count");
  bed.expect_from({"one", "far"}, "node", "203.0.113.10", 80, "the node, for which an external policy does not count");
  bed.expect_from({"one", "far"}, "client", "10.96.0.20", 80,
                  "the cluster IP, which the external policy does not bind");
  s.endpoints = {bed.at("far")};
  bed.apply({s});
  for (const auto& [ip, port] : doors)
    bed.expect_silence("client", ip, port, "an external policy of Local without a local endpoint");
  bed.expect_from({"far"}, "caller", "203.0.113.10", 80, "a pod, for which an external policy does not count");
  bed.expect_from({"far"}, "caller", "10.96.0.20", 80, "the cluster IP");
}

void both_local(ProxyBed& bed) {
  bed.resync({{.node_port = 30080,
               .internal_local = true,
               .external_local = true,
               .endpoints = {bed.at("two"), bed.at("far")}}});
  bed.expect_from({"two"}, "caller", "10.96.0.20", 80, "both policies Local");
  bed.expect_from({"two"}, "client", "192.0.2.1", 30080, "both policies Local");
}

void no_endpoints(ProxyBed& bed) {
  TestService s{.node_port = 30080, .external_ips = {"203.0.113.20"}, .load_balancer_ips = {"203.0.113.10"}};
  TestService u{.id = "default/web:udp", .protocol = "UDP", .node_port = 30081};
  bed.resync({s, u});
  for (const char* from : {"caller", "client", "node"}) {
    bed.expect_refused(from, "10.96.0.20", 80, "a cluster IP without endpoints");
    bed.expect_refused(from, "10.96.0.20", 80, "a cluster IP without endpoints by UDP", Protocol::kUdp);
    bed.expect_refused(from, "192.0.2.1", 30080, "a node port without endpoints");
  }
  for (const char* ip : {"203.0.113.10", "203.0.113.20"})
    bed.expect_refused("client", ip, 80, "an address without endpoints");
  s.endpoints = {bed.at("one")};
  bed.apply({s});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "the first endpoint");
  s.endpoints = {};
  bed.apply({s});
  bed.expect_refused("caller", "10.96.0.20", 80, "a service whose last endpoint has gone");
  bed.apply({}, {s.id, u.id});
  bed.expect_silence("caller", "10.96.0.20", 80, "a service that is gone");
}

void terminating(ProxyBed& bed) {
  TestEndpoint one = bed.at("one"), two = bed.at("two"), far = bed.at("far");
  auto ends = [](TestEndpoint e, bool serving) {
    e.ready = false, e.serving = serving, e.terminating = true;
    return e;
  };
  auto asleep = [](TestEndpoint e) {
    e.ready = e.serving = false;
    return e;
  };
  TestService s{.node_port = 30080, .endpoints = {one, ends(two, true), asleep(far)}};
  bed.resync({s});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "one ready endpoint beside one that ends");
  s.endpoints = {ends(one, true), ends(two, true), asleep(far)};
  bed.apply({s});
  bed.expect_from({"one", "two"}, "caller", "10.96.0.20", 80, "endpoints that end but still serve, when none is ready");
  s.endpoints = {ends(one, false), asleep(two)};
  bed.apply({s});
  bed.expect_refused("caller", "10.96.0.20", 80, "endpoints of which none serves");
  s.external_local = true;
  s.endpoints = {ends(one, true), far};
  bed.apply({s});
  bed.expect_from({"one"}, "client", "192.0.2.1", 30080, "a local endpoint that ends, where only local ones count");
  bed.expect_from({"far"}, "caller", "10.96.0.20", 80, "a ready endpoint elsewhere");
}

}  // namespace

std::vector<ProxyCase> policy_cases() {
  return {{"policy.internal", "an internal policy of Local binds the cluster IP only", false, internal_local},
          {"policy.external", "an external policy of Local keeps the client's address, and drops where no endpoint is",
           false, external_local},
          {"policy.both", "both policies can be Local", false, both_local},
          {"none.refused", "what has no endpoints is refused at once", false, no_endpoints},
          {"terminating", "endpoints that end serve when no other is ready", false, terminating}};
}

}  // namespace lotse::conformance
