#include <catch2/catch.hpp>

#include "plugins/proxy_iptables/kernel.h"

using namespace lotse::proxy_iptables;

namespace {

const Facts kFacts{{"10.244.1.0/24"}, {"10.244.0.0/16"}, {}};

Service web() {
  Service s;
  s.id = "default/web:http";
  s.protocol = "tcp";
  s.cluster_ips = {"10.96.0.20"};
  s.port = 80;
  s.endpoints = {{"10.244.1.5", 8080, true}, {"10.244.2.7", 8080, false}};
  return s;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string all(const ServiceRules& r) { return full_text("nat", {{"x", r}}, Family::kIPv4, {}) + full_text("filter", {{"x", r}}, Family::kIPv4, {}); }

}  // namespace

TEST_CASE("a cluster IP is spread over the endpoints by chance") {
  auto r = rules_of(web(), kFacts, Family::kIPv4);
  const std::string text = all(r);
  CHECK(has(text, "-A LOTSE-SERVICES -d 10.96.0.20/32 -p tcp -m tcp --dport 80 -m comment --comment \"default/web:http\" -j LOTSE-CIP-"));
  CHECK(has(text, "--probability 0.5000000000"));
  CHECK(has(text, "-j DNAT --to-destination 10.244.1.5:8080"));
  CHECK(has(text, "-j DNAT --to-destination 10.244.2.7:8080"));
  CHECK(has(text, "-s 10.244.1.5 -m comment --comment \"default/web:http\" -j LOTSE-MARK-MASQ"));
  CHECK(has(text, "! -s 10.244.0.0/16"));
  CHECK(r.reject.empty());
}

TEST_CASE("without endpoints the client is told at once") {
  Service s = web();
  s.endpoints.clear();
  auto r = rules_of(s, kFacts, Family::kIPv4);
  CHECK(r.chains.empty());
  REQUIRE(r.reject.size() == 1);
  CHECK(has(*r.reject.begin(), "-d 10.96.0.20/32 -p tcp -m tcp --dport 80"));
  CHECK(has(*r.reject.begin(), "-j REJECT"));
}

TEST_CASE("endpoints that end are used only when no other is ready") {
  Service s = web();
  s.endpoints[0] = {"10.244.1.5", 8080, true, false, true, true};
  CHECK_FALSE(has(all(rules_of(s, kFacts, Family::kIPv4)), "10.244.1.5"));
  s.endpoints.pop_back();
  CHECK(has(all(rules_of(s, kFacts, Family::kIPv4)), "DNAT --to-destination 10.244.1.5:8080"));
}

TEST_CASE("affinity remembers the client at its endpoint") {
  Service s = web();
  s.affinity_s = 300;
  const std::string text = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK(has(text, "--rcheck --seconds 300 --reap --rsource"));
  CHECK(has(text, "--set --rsource"));
}

TEST_CASE("a node port masquerades, and with a local policy keeps the client's address") {
  Service s = web();
  s.node_port = 30080;
  std::string text = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK(has(text, "-A LOTSE-NODEPORTS -p tcp -m tcp --dport 30080"));
  const std::string ext = "LOTSE-EXT-" + chain_hash(s.id);
  CHECK(has(text, "-A " + ext + " -m comment --comment \"default/web:http\" -j LOTSE-MARK-MASQ"));
  s.external_local = true;
  text = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK(has(text, "-A " + ext + " -m comment --comment \"default/web:http\" -j LOTSE-SVL-"));
  CHECK_FALSE(has(text, "-A " + ext + " -m comment --comment \"default/web:http\" -j LOTSE-MARK-MASQ"));
  s.endpoints.erase(s.endpoints.begin());
  text = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK(has(text, "-m addrtype --dst-type LOCAL -p tcp -m tcp --dport 30080"));
  CHECK(has(text, "-j DROP"));
}

TEST_CASE("an internal local policy uses this node's endpoints only") {
  Service s = web();
  s.internal_local = true;
  const std::string text = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK(has(text, "10.244.1.5:8080"));
  CHECK_FALSE(has(text, "10.244.2.7"));
}

TEST_CASE("a load balancer's source ranges let in those and drop all others") {
  Service s = web();
  s.load_balancer_ips = {"192.0.2.10"};
  s.source_ranges = {"203.0.113.0/24"};
  const std::string text = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK(has(text, "-A LOTSE-SERVICES -s 203.0.113.0/24 -d 192.0.2.10/32"));
  CHECK(has(text, "-A LOTSE-REJECT -d 192.0.2.10/32 -p tcp -m tcp --dport 80 -m comment --comment \"default/web:http\" -j DROP"));
}

TEST_CASE("families do not mix") {
  Service s = web();
  s.cluster_ips = {"10.96.0.20", "fd00::20"};
  s.endpoints.push_back({"fd00:1::5", 8080});
  const std::string four = all(rules_of(s, kFacts, Family::kIPv4));
  CHECK_FALSE(has(four, "fd00"));
  const Facts both{{"fd00:1::/64"}, {}, {}};
  const std::string six = full_text("nat", {{"x", rules_of(s, both, Family::kIPv6)}}, Family::kIPv6, {});
  CHECK(has(six, "-d fd00::20/128"));
  CHECK(has(six, "--to-destination [fd00:1::5]:8080"));
  CHECK_FALSE(has(six, "10.244"));
}

TEST_CASE("a change writes only what differs") {
  Service s = web();
  RulesById before{{s.id, rules_of(s, kFacts, Family::kIPv4)}};
  before["default/other:"] = {};
  CHECK(change_text("nat", before, before, {s.id}).empty());
  s.endpoints.pop_back();
  RulesById after{{s.id, rules_of(s, kFacts, Family::kIPv4)}};
  const std::string text = change_text("nat", before, after, {s.id});
  CHECK(has(text, ":LOTSE-SVC-"));
  CHECK(has(text, "-X LOTSE-SEP-"));
  CHECK_FALSE(has(text, "LOTSE-SERVICES"));    // the Service's own line has not changed
  CHECK_FALSE(has(text, "10.244.1.5:8080"));   // nor the endpoint that stays
  CHECK(change_text("filter", before, after, {s.id}).empty());
  const std::string gone = change_text("nat", after, {}, {s.id});
  CHECK(has(gone, "-D LOTSE-SERVICES -d 10.96.0.20/32"));
  CHECK(has(gone, "-X LOTSE-CIP-"));
}

TEST_CASE("a resync takes out stale chains and keeps what is not ours") {
  const Found found = parse_save(
      "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n:LOTSE-SERVICES - [0:0]\n:LOTSE-SVC-OLD - [0:0]\n"
      "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A PREROUTING -j LOTSE-SERVICES\nCOMMIT\n", kPrefix);
  CHECK(found.chains == std::set<std::string>{"LOTSE-SERVICES", "LOTSE-SVC-OLD"});
  const std::string text = full_text("nat", {}, Family::kIPv4, found);
  CHECK(has(text, "-X LOTSE-SVC-OLD"));
  CHECK_FALSE(has(text, "DOCKER"));
  CHECK_FALSE(has(text, "-I PREROUTING 1 -j LOTSE-SERVICES"));
  CHECK(has(text, "-I OUTPUT 1 -j LOTSE-SERVICES"));
  CHECK(text.find("-I OUTPUT 1 -m addrtype") < text.find("-I OUTPUT 1 -j LOTSE-SERVICES"));  // so that Services come first
  const std::string removal = removal_text("nat", found);
  CHECK(has(removal, "-D PREROUTING -j LOTSE-SERVICES"));
  CHECK_FALSE(has(removal, "DOCKER"));
}
