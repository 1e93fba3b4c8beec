#include <random>

#include "sdk/conformance/check.h"
#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

void endpoints_change(ProxyBed& bed) {
  TestService s{.endpoints = {bed.at("one")}},
      t{.id = "default/other:", .cluster_ips = {"10.96.0.21"}, .endpoints = {bed.at("two")}};
  bed.resync({s, t});
  Talk open = bed.lab().talk("caller", "10.96.0.21", 80, Protocol::kTcp);
  require(open.again().who == "two", "a connection does not lead where it should");
  s.endpoints = {bed.at("two"), bed.at("far")};
  bed.apply({s});
  bed.expect_from({"two", "far"}, "caller", "10.96.0.20", 80, "other endpoints");
  s.port = 8000;
  bed.apply({s});
  bed.expect_from({"two", "far"}, "caller", "10.96.0.20", 8000, "another port");
  bed.expect_no_answer("caller", "10.96.0.20", 80, "the port of before");
  s.cluster_ips = {"10.96.0.22"};
  bed.apply({s}, {});
  bed.expect_from({"two", "far"}, "caller", "10.96.0.22", 8000, "another address");
  bed.expect_no_answer("caller", "10.96.0.20", 8000, "the address of before");
  // Two services change places in one call.
  std::swap(s.cluster_ips, t.cluster_ips);
  std::swap(s.port, t.port);
  bed.apply({s, t});
  bed.expect_from({"two", "far"}, "caller", "10.96.0.21", 80, "services that changed places");
  bed.expect_from({"two"}, "caller", "10.96.0.22", 8000, "services that changed places");
  bed.resync({s, t});
  require(open.again().who == "two", "a change and a resync cut an established connection");
}

void renamed_in_one_call(ProxyBed& bed) {
  TestService s{.node_port = 30080, .endpoints = {bed.at("one")}};
  bed.resync({s});
  TestService t = s;
  t.id = "default/web:renamed";
  t.endpoints = {bed.at("two")};
  bed.apply({t}, {s.id});
  bed.expect_from({"two"}, "caller", "10.96.0.20", 80, "a port with a new name");
  bed.expect_from({"two"}, "client", "192.0.2.1", 30080, "a port with a new name");
}

void udp_stale(ProxyBed& bed) {
  TestService s{.protocol = "UDP", .node_port = 30080, .endpoints = {bed.at("one")}};
  bed.resync({s});
  Talk pod = bed.lab().talk("caller", "10.96.0.20", 80, Protocol::kUdp);
  Talk client = bed.lab().talk("client", "192.0.2.1", 30080, Protocol::kUdp);
  require(pod.again().who == "one" && client.again().who == "one", "UDP does not lead where it should");
  s.endpoints = {bed.at("two")};
  bed.apply({s});
  require(pod.again().who == "two", "a UDP flow stays with an endpoint that is gone");
  require(client.again().who == "two", "a UDP flow by a node port stays with an endpoint that is gone");
  s.endpoints = {bed.at("two"), bed.at("far")};
  bed.apply({s});
  require(pod.again().who == "two", "a UDP flow is torn from an endpoint that is still there");
}

void udp_from_none(ProxyBed& bed) {
  TestService s{.protocol = "UDP", .endpoints = {}};
  bed.resync({});
  Talk early = bed.lab().talk("caller", "10.96.0.20", 80, Protocol::kUdp);
  require(early.again(300).kind != Outcome::kAnswered, "a service that is not there answers");
  bed.apply({s});
  (void)early.again(300);
  s.endpoints = {bed.at("one")};
  bed.apply({s});
  Outcome o = early.again();
  if (o.kind == Outcome::kRefused) o = early.again();  // a refusal that was still on its way
  require(o.who == "one", "a UDP flow that began before the endpoints came leads nowhere");
}

void resync_is_exact(ProxyBed& bed) {
  TestService s{.endpoints = {bed.at("one")}},
      t{.id = "default/other:", .cluster_ips = {"10.96.0.21"}, .node_port = 30081, .endpoints = {bed.at("two")}};
  bed.resync({s, t});
  bed.resync({s});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "what stays");
  bed.expect_no_answer("caller", "10.96.0.21", 80, "what is no longer in the table");
  bed.expect_no_answer("client", "192.0.2.1", 30081, "a node port that is no longer in the table");
  bed.resync({s, t});
  bed.restart();
  bed.resync({t});
  bed.expect_from({"two"}, "caller", "10.96.0.21", 80, "what stays after a restart");
  bed.expect_no_answer("caller", "10.96.0.20", 80, "what went while the proxy was not there");
}

void apply_first(ProxyBed& bed) {
  bed.resync({});
  bed.apply({});
  bed.apply({}, {"default/never:seen"});
  TestService s{.endpoints = {bed.at("one")}};
  for (int i = 0; i < 3; ++i) bed.apply({s});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "a service set three times");
  for (int i = 0; i < 3; ++i) bed.apply({}, {s.id});
  bed.expect_silence("caller", "10.96.0.20", 80, "a service removed three times");
}

struct RandomTable {
  std::mt19937_64 dice;
  ProxyBed& bed;
  std::map<std::string, TestService> services;
  int upto(int n) { return static_cast<int>(dice() % static_cast<uint64_t>(n)); }

  TestService make(int i) {
    const std::string n = std::to_string(i);
    TestService s{.id = "ns/s" + n + ":p",
                  .protocol = upto(4) == 0 ? "UDP" : "TCP",
                  .cluster_ips = {"10.96.1." + n},
                  .port = 80 + upto(2)};
    if (bed.six() && upto(2)) s.cluster_ips.push_back("fd00:96::" + n);
    if (upto(2)) s.node_port = 30000 + i;
    if (upto(3) == 0) s.external_ips = {"203.0.113." + n};
    if (upto(3) == 0) s.load_balancer_ips = {"198.18.0." + n};
    if (upto(4) == 0) s.source_ranges = {"192.0.2.0/25", "10.88.0.0/16"};
    if (upto(5) == 0) s.affinity_s = 60 * (1 + upto(2));
    s.internal_local = upto(5) == 0;
    s.external_local = upto(4) == 0;
    for (const char* pod : {"one", "two", "caller", "far"})
      for (bool ipv6 : {false, true}) {
        if (upto(2) || (ipv6 && !bed.six())) continue;
        TestEndpoint e = bed.at(pod, ipv6);
        if (upto(4) == 0) e.ready = false, e.terminating = true, e.serving = upto(2) == 0;
        s.endpoints.push_back(e);
      }
    return s;
  }
  std::vector<TestService> all() const {
    std::vector<TestService> out;
    for (const auto& [id, s] : services) out.push_back(s);
    return out;
  }
  void step() {
    std::vector<TestService> set;
    std::vector<std::string> removed;
    std::set<int> touched;
    for (int n = 1 + upto(4); n > 0; --n) {
      const int i = 1 + upto(24);
      if (!touched.insert(i).second) continue;
      TestService s = make(i);
      if (services.contains(s.id) && upto(4) == 0) {
        removed.push_back(s.id);
        services.erase(s.id);
      } else {
        set.push_back(s);
        services[s.id] = s;
      }
    }
    bed.apply(set, removed);
  }
};

void incremental(ProxyBed& bed) {
  RandomTable table{std::mt19937_64(bed.seed()), bed, {}};
  bed.resync({});
  for (int i = 0; i < 60; ++i) table.step();
  const auto changed = kernel_state();
  bed.resync(table.all());
  expect_same_state(kernel_state(), changed, "after a resync that should change nothing");
  bed.restart();
  bed.resync(table.all());
  expect_same_state(kernel_state(), changed, "after a restart");
  for (int i = 0; i < 10; ++i) table.step();
  const auto again = kernel_state();
  bed.remove_all();
  bed.resync(table.all());
  expect_same_state(kernel_state(), again, "put in whole instead of by changes");
}

void bad_tables(ProxyBed& bed) {
  TestService good{.endpoints = {bed.at("one")}};
  std::vector<Msg> bad;
  auto with = [&](const char* key, Msg value) {
    TestService s{
        .id = "bad/b" + std::to_string(bad.size()) + ":x", .cluster_ips = {"10.96.0.99"}, .endpoints = {bed.at("two")}};
    Msg m = s.msg();
    m.set(key, std::move(value));
    bad.push_back(std::move(m));
  };
  with("port", 70000), with("port", -1), with("node_port", 1 << 20), with("protocol", "ICMP"), with("id", "x y\n-F"),
      with("id", Msg());
  with("cluster_ips", Msg::strings({"10.0.0.1; flush ruleset", "no address"})),
      with("source_ranges", Msg::strings({"0.0.0.0/99", "x"}));
  with("endpoints", Msg::array({Msg::map({{"ip", "10.0.0.300"}, {"port", 80}}), Msg("text"),
                                Msg::map({{"ip", "10.0.0.1"}, {"port", 0}})}));
  with("endpoints", Msg("none")), with("affinity_s", -5), with("cluster_ips", 7);
  bad.push_back(Msg());
  bad.push_back(Msg("text"));
  bad.insert(bad.begin() + 3, good.msg());
  bed.try_resync(bad);  // whether it is refused or told as problems is the plugin's choice
  Answer answer = bed.try_resync({good.msg(), bad[0]});
  require(answer.ok(), "one bad service spoils the whole table: " + answer.text);
  require(!answer.value["problems"].items().empty(), "a port of 70000 is no problem");
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "a good service beside a bad one");
  for (auto function : {&lotse_proxy::resync, &lotse_proxy::apply})
    for (const Msg& request : {Msg(), Msg("text"), Msg::array()}) bed.ask(function, request);
  bed.resync({good});
  bed.expect_from({"one"}, "caller", "10.96.0.20", 80, "a good table after requests that made no sense");
}

}  // namespace

std::vector<ProxyCase> change_cases() {
  return {{"change.one", "a change is there when its call returns, and cuts nothing else", false, endpoints_change},
          {"change.renamed", "an address can go from one id to another in one call", false, renamed_in_one_call},
          {"change.repeated", "a change can be repeated", false, apply_first},
          {"udp.stale", "UDP flows leave an endpoint that is gone, and only that", false, udp_stale},
          {"udp.early", "UDP flows that began too early find the first endpoint", false, udp_from_none},
          {"resync.exact", "a resync takes out what is not in the table, whoever put it there", false, resync_is_exact},
          {"resync.equal", "many changes leave the kernel as one resync does", true, incremental},
          {"tables.bad", "what is wrong in a table is told, and harms nothing else", false, bad_tables}};
}

}  // namespace lotse::conformance
