#include "sdk/conformance/check.h"
#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

// What Docker leaves on a machine: chains of its own, a FORWARD policy of DROP.
constexpr const char* kDocker =
    "*nat\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A OUTPUT ! -d 127.0.0.0/8 -m "
    "addrtype --dst-type LOCAL -j DOCKER\n"
    "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n-A DOCKER -i docker0 -j RETURN\n-A DOCKER ! -i "
    "docker0 -p tcp -m tcp --dport 9443 -j DNAT --to-destination 172.17.0.2:443\nCOMMIT\n"
    "*filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n:DOCKER-ISOLATION-STAGE-1 - [0:0]\n-A "
    "FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n"
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -o docker0 -j DOCKER\n-A "
    "FORWARD -i docker0 ! -o docker0 -j ACCEPT\n"
    "-A DOCKER-ISOLATION-STAGE-1 -j RETURN\n-A DOCKER-USER -j RETURN\nCOMMIT\n";
// The pod network's own rule (core/network's LOTSENET-FORWARD): pods may talk.
constexpr const char* kPods =
    "*filter\n:PODNET-FORWARD - [0:0]\n-A FORWARD -j PODNET-FORWARD\n-A PODNET-FORWARD -s 10.88.0.0/16 -j ACCEPT\n-A "
    "PODNET-FORWARD -d 10.88.0.0/16 -j ACCEPT\nCOMMIT\n";
constexpr const char* kForeign6 =
    "*nat\n:FOREIGN - [0:0]\n-A PREROUTING -j FOREIGN\n-A FOREIGN -j RETURN\nCOMMIT\n*filter\n:FOREIGN - [0:0]\n-A "
    "FORWARD -j FOREIGN\n-A FOREIGN -j RETURN\nCOMMIT\n";
constexpr const char* kFirewall =
    "table inet foreign {\n  set friends { type ipv4_addr; elements = { 192.0.2.2 } }\n  chain in { type filter hook "
    "input priority 5; policy accept; ip saddr @friends accept; }\n}\n";

void neighbours(ProxyBed& bed) {
  run_program({"iptables-restore", "--noflush"}, kDocker);
  run_program({"iptables-restore", "--noflush"}, kPods);
  if (bed.six()) run_program({"ip6tables-restore", "--noflush"}, kForeign6);
  std::string output;
  if (try_program({"nft", "-f", "-"}, kFirewall, &output) > 0)
    require(false, "nft refused the foreign table: " + output);
  run_program({"ip", "-batch", "-"},
              "link add foreign0 type bridge\naddr add 172.17.0.1/16 dev foreign0\nlink set foreign0 up\n");
}

std::vector<TestService> some(ProxyBed& bed) {
  return {{.node_port = 30080,
           .external_ips = {"203.0.113.20"},
           .load_balancer_ips = {"203.0.113.10"},
           .source_ranges = {"192.0.2.0/25"},
           .affinity_s = 60,
           .endpoints = {bed.at("one"), bed.at("far")}},
          {.id = "default/none:", .cluster_ips = {"10.96.0.21"}, .node_port = 30081},
          {.id = "default/udp:",
           .protocol = "UDP",
           .cluster_ips = bed.six() ? std::vector<std::string>{"10.96.0.22", "fd00:96::22"}
                                    : std::vector<std::string>{"10.96.0.22"},
           .external_local = true,
           .endpoints = {bed.at("two"), bed.at("far")}}};
}

void nothing_left(ProxyBed& bed) {
  neighbours(bed);
  const auto before = kernel_state();
  bed.resync(some(bed));
  bed.apply({{.id = "default/more:", .cluster_ips = {"10.96.0.30"}, .endpoints = {bed.at("one")}}}, {"default/none:"});
  bed.expect_from({"two", "far"}, "caller", "10.96.0.22", 80, "a service", Protocol::kUdp);
  bed.remove_all();
  expect_same_state(kernel_state(), before, "after remove_all");
  bed.remove_all();
  expect_same_state(kernel_state(), before, "after a second remove_all");
}

// An instance that has put nothing in takes out what another has left.
void removes_for_others(ProxyBed& bed) {
  neighbours(bed);
  const auto before = kernel_state();
  bed.resync(some(bed));
  bed.restart();
  bed.remove_all();
  expect_same_state(kernel_state(), before, "after remove_all of a new instance");
}

void foreign_untouched(ProxyBed& bed) {
  neighbours(bed);
  const auto before = kernel_state();
  bed.resync(some(bed));
  bed.apply({}, {"default/none:"});
  bed.resync(some(bed));
  const auto now = kernel_state();
  std::vector<std::string> gone;
  for (const auto& line : before)
    if (line.find("inet foreign") != line.npos || line.find("DOCKER") != line.npos ||
        line.find("FOREIGN") != line.npos || line.find("FORWARD DROP") != line.npos ||
        line.find("foreign0") != line.npos)
      if (!std::binary_search(now.begin(), now.end(), line)) gone.push_back(line);
  require(gone.empty(), "a foreign line is gone: " + (gone.empty() ? "" : gone[0]));
}

void forward_drop(ProxyBed& bed) {
  neighbours(bed);
  bed.resync(
      {{.node_port = 30080, .load_balancer_ips = {"203.0.113.10"}, .endpoints = {bed.at("one"), bed.at("far")}}});
  bed.expect_from({"one", "far"}, "client", "192.0.2.1", 30080, "a node port beside Docker's rules");
  bed.expect_from({"one", "far"}, "client", "203.0.113.10", 80, "a load balancer's address beside Docker's rules");
  bed.expect_from({"one", "far"}, "caller", "10.96.0.20", 80, "a cluster IP beside Docker's rules");
  bed.expect_silence("client", "198.51.100.2", 8080, "what FORWARD's policy drops");
}

// firewalld with its nftables backend: what has been translated passes, the pod network is trusted, all else is
// refused.
void firewalld(ProxyBed& bed) {
  if (bed.has_feature("through_input")) check::skip("this mode's traffic passes INPUT, where the zone must let it in");
  std::string output;
  const int code =
      try_program({"nft", "-f", "-"},
                  "table inet firewalld {\n chain filter_FORWARD { type filter hook forward priority 10; policy "
                  "accept; ct state { established, related } accept; ct status dnat accept; ip saddr 10.88.0.0/16 "
                  "accept; ip daddr 10.88.0.0/16 accept; reject with icmpx admin-prohibited; }\n"
                  " chain filter_INPUT { type filter hook input priority 10; policy accept; ct state { established, "
                  "related } accept; ct status dnat accept; iifname \"lo\" accept; ip saddr 10.88.0.0/16 accept; meta "
                  "l4proto { icmp, ipv6-icmp } accept; reject with icmpx admin-prohibited; }\n}\n",
                  &output);
  if (code != 0) check::skip("needs the program nft and a kernel with inet tables: " + output);
  bed.resync(
      {{.node_port = 30080, .load_balancer_ips = {"203.0.113.10"}, .endpoints = {bed.at("one"), bed.at("far")}}});
  bed.expect_from({"one", "far"}, "client", "192.0.2.1", 30080, "a node port under firewalld's zones");
  bed.expect_from({"one", "far"}, "client", "203.0.113.10", 80, "a load balancer's address under firewalld's zones");
  bed.expect_from({"one", "far"}, "caller", "10.96.0.20", 80, "a cluster IP under firewalld's zones");
}

// Somebody throws all rules away: the next resync puts ours back.
void flushed(ProxyBed& bed) {
  TestService s{.node_port = 30080, .endpoints = {bed.at("one")}};
  bed.resync({s});
  std::string output;
  for (const char* table : {"nat", "filter"})
    for (const char* what : {"-F", "-X"}) try_program({"iptables", "-t", table, what}, {}, &output);
  try_program({"nft", "flush", "ruleset"}, {}, &output);
  bed.resync({s});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "a resync after a foreign flush");
  bed.expect_from({"one"}, "client", "192.0.2.1", 30080, "a resync after a foreign flush");
  try_program({"nft", "flush", "ruleset"}, {}, &output);
  for (const char* what : {"-F", "-X"}) try_program({"iptables", "-t", "nat", what}, {}, &output);
  TestService t{.id = "default/other:", .cluster_ips = {"10.96.0.21"}, .endpoints = {bed.at("two")}};
  Answer answer = bed.ask(&lotse_proxy::apply, Msg::map({{"set", Msg::array({t.msg()})}, {"removed", Msg::array()}}));
  if (!answer.ok()) bed.resync({s, t});  // a change that fails is followed by a resync
  bed.expect_from({"two"}, "caller", "10.96.0.21", 80, "a change after a foreign flush");
}

void names_itself(ProxyBed& bed) {
  const Msg info = bed.info();
  require(!info["mode"].as_text().empty(), "info names no mode");
  require(info["families"].is_array(), "info does not say which families it serves");
  for (const Msg& family : info["families"].items()) {
    require(family.as_text() == "IPv4" || family.as_text() == "IPv6", "info names a family that is none: " + family.str());
  }
}

// Of every mode, also of one that keeps its hands off the kernel.
void answers(ProxyBed& bed) {
  TestService one{.endpoints = {bed.at("one")}}, other{.id = "default/other:", .cluster_ips = {"10.96.0.21"}};
  bed.resync({one});
  bed.apply({other}, {one.id});
  bed.apply({}, {one.id, "default/never:was"});
  bed.resync({});
  bed.remove_all();
  bed.remove_all();
}

}  // namespace

std::vector<ProxyCase> neighbour_cases() {
  return {{"info", "the plugin names its mode and families", false, names_itself, false},
          {"answers", "tables, changes and removals are answered, also when there is nothing to do", false, answers, false},
          {"remove.nothing-left", "remove_all leaves the kernel as it was, also twice", false, nothing_left},
          {"remove.others", "so it does for what another instance has put in", false, removes_for_others},
          {"foreign.untouched", "rules, sets and links of others stay as they are", false, foreign_untouched},
          {"foreign.docker", "Services work beside Docker's rules and a FORWARD policy of DROP", false, forward_drop},
          {"foreign.firewalld", "Services work under firewalld's zones", false, firewalld},
          {"foreign.flush", "a foreign flush is healed", false, flushed}};
}

}  // namespace lotse::conformance
