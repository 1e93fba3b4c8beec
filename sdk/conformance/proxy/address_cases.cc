#include <chrono>
#include <thread>

#include "sdk/conformance/check.h"
#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

void cluster_ip(ProxyBed& bed, const char* name, Protocol protocol) {
  TestService s{.protocol = name, .endpoints = {bed.at("one"), bed.at("two"), bed.at("far")}};
  bed.resync({s});
  for (const char* from : {"caller", "node", "client"})
    bed.expect_from({"one", "two", "far"}, from, "10.96.0.20", 80, "a cluster IP", protocol);
  bed.expect_no_answer("caller", "10.96.0.20", 81, "another port", protocol);
}
void cluster_ip_tcp(ProxyBed& bed) {
  cluster_ip(bed, "TCP", Protocol::kTcp);
}
void cluster_ip_udp(ProxyBed& bed) {
  cluster_ip(bed, "UDP", Protocol::kUdp);
}
void cluster_ip_sctp(ProxyBed& bed) {
  if (!bed.lab().has_sctp()) check::skip("this kernel has no SCTP");
  cluster_ip(bed, "SCTP", Protocol::kSctp);
}

void same_port_two_protocols(ProxyBed& bed) {
  TestService tcp{.id = "default/dns:tcp", .endpoints = {bed.at("one")}};
  TestService udp{.id = "default/dns:udp", .protocol = "UDP", .endpoints = {bed.at("two")}};
  TestService other{.id = "default/dns:other", .port = 81, .endpoints = {bed.at("far")}};
  bed.resync({tcp, udp, other});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "TCP");
  bed.expect_from({"two"}, "caller", "10.96.0.20", 80, "UDP", Protocol::kUdp);
  bed.expect_from({"far"}, "caller", "10.96.0.20", 81, "another port of the address");
}

void sources(ProxyBed& bed) {
  bed.resync({{.endpoints = {bed.at("one")}}, {.id = "default/web:far", .port = 81, .endpoints = {bed.at("far")}}});
  require(bed.expect_answer("caller", "10.96.0.20", 80, "a pod").source == bed.lab().ip("caller"),
          "a pod that calls a pod by a cluster IP is seen with another address");
  require(bed.expect_answer("client", "10.96.0.20", 80, "a client").source != bed.lab().ip("client"),
          "what comes from outside to a cluster IP keeps its address, so that answers may take another way");
}

void node_port(ProxyBed& bed) {
  TestService tcp{.node_port = 30080, .endpoints = {bed.at("one"), bed.at("far")}};
  TestService udp{.id = "default/web:udp", .protocol = "UDP", .node_port = 30080, .endpoints = {bed.at("two")}};
  bed.resync({tcp, udp});
  bed.expect_from({"one", "far"}, "client", "192.0.2.1", 30080, "a node port");
  bed.expect_from({"one", "far"}, "client", "198.51.100.1", 30080, "a node port on another address of the node");
  bed.expect_from({"one", "far"}, "caller", "192.0.2.1", 30080, "a node port, asked by a pod");
  bed.expect_from({"one", "far"}, "node", "192.0.2.1", 30080, "a node port, asked by the node");
  bed.expect_from({"two"}, "client", "192.0.2.1", 30080, "a UDP node port", Protocol::kUdp);
  bed.expect_no_answer("client", "10.88.2.13", 30080, "another host's port of that number");
}

void load_balancer(ProxyBed& bed) {
  bed.resync({{.node_port = 30080,
               .load_balancer_ips = {"203.0.113.10", "203.0.113.11"},
               .endpoints = {bed.at("one"), bed.at("far")}}});
  for (const char* ip : {"203.0.113.10", "203.0.113.11"})
    for (const char* from : {"client", "caller", "node"})
      bed.expect_from({"one", "far"}, from, ip, 80, "a load balancer's address");
}

// As with a load balancer that gives the addresses of nodes.
void load_balancer_own(ProxyBed& bed) {
  bed.resync({{.node_port = 30080, .load_balancer_ips = {"192.0.2.1"}, .endpoints = {bed.at("one"), bed.at("far")}}});
  for (const char* from : {"client", "caller", "node"})
    bed.expect_from({"one", "far"}, from, "192.0.2.1", 80, "a load balancer's address that is the node's own");
}

void source_ranges(ProxyBed& bed) {
  TestService s{.node_port = 30080,
                .load_balancer_ips = {"203.0.113.10"},
                .source_ranges = {"192.0.2.0/25", "192.0.2.0/26", "10.88.1.20/32"},
                .endpoints = {bed.at("one")}};
  bed.resync({s});
  bed.expect_answer("client", "203.0.113.10", 80, "a client within a range");
  bed.expect_answer("caller", "203.0.113.10", 80, "a pod within a range");
  bed.expect_silence("client", "203.0.113.10", 80, "a client outside the ranges", Protocol::kTcp, "192.0.2.130");
  bed.expect_answer("client", "10.96.0.20", 80, "the cluster IP, which has no ranges", Protocol::kTcp, "192.0.2.130");
  s.source_ranges = {"192.0.2.128/25"};
  bed.apply({s});
  bed.expect_answer("client", "203.0.113.10", 80, "a client within the new range", Protocol::kTcp, "192.0.2.130");
  bed.expect_silence("client", "203.0.113.10", 80, "a client outside the new range");
  s.source_ranges = {};
  bed.apply({s});
  bed.expect_answer("client", "203.0.113.10", 80, "a client when there are no ranges any more");
}

void external_ip(ProxyBed& bed) {
  bed.resync({{.external_ips = {"203.0.113.20"}, .endpoints = {bed.at("two"), bed.at("far")}}});
  for (const char* from : {"client", "caller", "node"})
    bed.expect_from({"two", "far"}, from, "203.0.113.20", 80, "an external IP");
}

void hairpin(ProxyBed& bed) {
  bed.resync({{.node_port = 30080, .load_balancer_ips = {"203.0.113.10"}, .endpoints = {bed.at("one")}}});
  bed.expect_from({"one"}, "one", "10.96.0.20", 80, "a pod that reaches itself by the cluster IP");
  bed.expect_from({"one"}, "one", "203.0.113.10", 80, "a pod that reaches itself by the load balancer's address");
  bed.expect_from({"one"}, "one", "192.0.2.1", 30080, "a pod that reaches itself by a node port");
  bed.apply({{.protocol = "UDP", .endpoints = {bed.at("one")}}});
  bed.expect_from({"one"}, "one", "10.96.0.20", 80, "a pod that reaches itself by UDP", Protocol::kUdp);
}

std::string sticks(ProxyBed& bed, const std::string& from, const std::string& ip, int port, const std::string& what) {
  const std::string first = bed.expect_answer(from, ip, port, what).who;
  for (int i = 0; i < 12; ++i) {
    const std::string who = bed.expect_answer(from, ip, port, what).who;
    require(who == first, what + ": the client was sent to " + first + " and then to " + who);
  }
  return first;
}

void affinity(ProxyBed& bed) {
  TestService s{.node_port = 30080, .affinity_s = 300, .endpoints = {bed.at("one"), bed.at("two"), bed.at("far")}};
  bed.resync({s});
  sticks(bed, "caller", "10.96.0.20", 80, "affinity of a pod");
  sticks(bed, "client", "192.0.2.1", 30080, "affinity by a node port");
  sticks(bed, "node", "10.96.0.20", 80, "affinity of the node");
  std::set<std::string> seen;
  // Ten clients do not all go to the same one, or affinity would be no spreading.
  for (int i = 0; i < 24 && seen.size() < 2; ++i) {
    bed.apply({}, {s.id});
    bed.apply({s});
    seen.insert(bed.expect_answer("caller", "10.96.0.20", 80, "a new service with affinity").who);
  }
  require(seen.size() > 1, "a service with affinity always begins with " + *seen.begin());
}

void affinity_moves(ProxyBed& bed) {
  TestService s{.affinity_s = 300, .endpoints = {bed.at("one"), bed.at("two")}};
  bed.resync({s});
  const std::string first = sticks(bed, "caller", "10.96.0.20", 80, "affinity"),
                    second = first == "one" ? "two" : "one";
  s.endpoints = {bed.at("one"), bed.at("two"), bed.at("far")};
  bed.apply({s});
  require(sticks(bed, "caller", "10.96.0.20", 80, "affinity") == first,
          "a client loses its endpoint because another came");
  s.endpoints = {bed.at(second)};
  bed.apply({s});
  require(sticks(bed, "caller", "10.96.0.20", 80, "affinity") == second,
          "a client is not sent on when its endpoint has gone");
}

void affinity_ends(ProxyBed& bed) {
  if (bed.has_feature("affinity_with_connections"))
    check::skip("this mode's kernel part remembers a client for as long as its last connections, minutes after their end");
  TestService s{.affinity_s = 1, .endpoints = {bed.at("one"), bed.at("two"), bed.at("far")}};
  bed.resync({s});
  std::set<std::string> seen;
  for (int i = 0; i < 16 && seen.size() < 2; ++i) {
    seen.insert(bed.expect_answer("caller", "10.96.0.20", 80, "affinity").who);
    std::this_thread::sleep_for(std::chrono::milliseconds(2200));
  }
  require(seen.size() > 1, "a client is remembered for longer than the timeout");
}

}  // namespace

std::vector<ProxyCase> address_cases() {
  return {
      {"cluster-ip.tcp", "a cluster IP reaches every endpoint, from pods, the node and outside", false, cluster_ip_tcp},
      {"cluster-ip.udp", "so it does by UDP", false, cluster_ip_udp},
      {"cluster-ip.sctp", "so it does by SCTP", false, cluster_ip_sctp},
      {"cluster-ip.ports", "ports and protocols of one address are services of their own", false,
       same_port_two_protocols},
      {"cluster-ip.source", "pods keep their address, others get the node's", false, sources},
      {"node-port", "a node port answers on all addresses of the node", false, node_port},
      {"load-balancer.ip", "addresses of a load balancer reach the endpoints", false, load_balancer},
      {"load-balancer.own", "so they do if they are the node's own", false, load_balancer_own},
      {"load-balancer.ranges", "source ranges let in those and nobody else", false, source_ranges},
      {"external-ip", "external IPs reach the endpoints", false, external_ip},
      {"hairpin", "a pod reaches itself through its Service", false, hairpin},
      {"affinity.sticks", "with ClientIP affinity a client stays with its endpoint", false, affinity},
      {"affinity.moves", "it stays when endpoints come, and goes on when its own has gone", false, affinity_moves},
      {"affinity.ends", "it is forgotten after the timeout", true, affinity_ends}};
}

}  // namespace lotse::conformance
