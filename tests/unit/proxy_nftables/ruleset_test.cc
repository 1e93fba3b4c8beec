#include <catch2/catch.hpp>

#include "plugins/proxy_nftables/clients.h"
#include "plugins/proxy_nftables/ruleset.h"

using namespace lotse::proxy_nftables;

namespace {

const Facts kFacts{.pod_cidrs = {"10.244.1.0/24"}, .cluster_cidrs = {"10.244.0.0/16"}};

Service web() {
  Service s;
  s.id = "default/web:http";
  s.protocol = "tcp";
  s.cluster_ips = {"10.96.0.20"};
  s.port = 80;
  s.endpoints = {{"10.244.1.5", 8080, true}, {"10.244.2.7", 8080, false}};
  return s;
}

bool has(const std::string& text, const std::string& what) { return text.find(what) != text.npos; }

struct World {
  Ruleset ruleset{Family::kIPv4};
  std::map<std::string, Service> services;
  std::string full() { return ruleset.full(services, kFacts); }
  std::string set(Service s) {
    std::map<std::string, Service> before;
    if (services.contains(s.id)) before[s.id] = services[s.id];
    services[s.id] = s;
    return ruleset.change(before, {s.id}, services, kFacts);
  }
  std::string remove(const std::string& id) {
    std::map<std::string, Service> before{{id, services[id]}};
    services.erase(id);
    return ruleset.change(before, {id}, services, kFacts);
  }
};

}  // namespace

TEST_CASE("a cluster IP is one element that leads on and one for each endpoint") {
  World w;
  w.services["default/web:http"] = web();
  const std::string text = w.full();
  CHECK(has(text, "add element ip lotse services { 10.96.0.20 . tcp . 80 : goto inside-2 }"));
  CHECK(has(text, "10.96.0.20 . tcp . 80 . 0 : 10.244.1.5 . 8080, 10.96.0.20 . tcp . 80 . 1 : 10.244.2.7 . 8080"));
  CHECK(has(text, "add element ip lotse hairpins { 10.244.1.5 . 10.244.1.5 }"));
  CHECK(has(text, "ip saddr != @pods meta mark set meta mark or 0x4000"));
}

TEST_CASE("a change names only the elements that differ") {
  World w;
  w.services["default/web:http"] = web();
  w.full();
  Service s = web();
  CHECK(w.set(s).empty());
  s.endpoints[1].ip = "10.244.2.8";
  CHECK(w.set(s) ==
        "delete element ip lotse endpoints { 10.96.0.20 . tcp . 80 . 1 }\n"
        "add element ip lotse endpoints { 10.96.0.20 . tcp . 80 . 1 : 10.244.2.8 . 8080 }\n");
}

TEST_CASE("the chain for a number of endpoints is there while some Service has as many") {
  World w;
  w.full();
  Service a = web(), b = web();
  b.id = "default/other:", b.cluster_ips = {"10.96.0.21"};
  CHECK(has(w.set(a), "add chain ip lotse inside-2"));
  CHECK_FALSE(has(w.set(b), "chain"));
  CHECK_FALSE(has(w.remove(a.id), "chain"));
  const std::string last = w.remove(b.id);
  CHECK(has(last, "delete chain ip lotse inside-2"));
  CHECK(last.find("delete element ip lotse services") < last.find("delete chain"));
}

TEST_CASE("an external policy of Local has doors of its own for strangers") {
  World w;
  Service s = web();
  s.external_local = true;
  s.node_port = 30080;
  s.load_balancer_ips = {"192.0.2.10"};
  w.services[s.id] = s;
  std::string text = w.full();
  CHECK(has(text, "192.0.2.10 . tcp . 80 : goto split-2"));
  CHECK(has(text, "add element ip lotse services_local { 192.0.2.10 . tcp . 80 : goto local-1 }"));
  CHECK(has(text, "add element ip lotse endpoints_local { 192.0.2.10 . tcp . 80 . 0 : 10.244.1.5 . 8080 }"));
  CHECK(has(text, "add element ip lotse node_ports { tcp . 30080 : goto portsplit-2 }"));
  s.endpoints.erase(s.endpoints.begin());
  text = w.set(s);
  CHECK(has(text, "add element ip lotse no_endpoints { 192.0.2.10 . tcp . 80 : drop }"));
  CHECK(has(text, "add element ip lotse no_endpoint_ports { tcp . 30080 : drop }"));
}

TEST_CASE("what has no endpoints is refused") {
  World w;
  Service s = web();
  s.endpoints.clear();
  w.services[s.id] = s;
  CHECK(has(w.full(), "add element ip lotse no_endpoints { 10.96.0.20 . tcp . 80 : goto refuse }"));
}

TEST_CASE("source ranges are without those that lie in another") {
  World w;
  Service s = web();
  s.load_balancer_ips = {"192.0.2.10"};
  s.source_ranges = {"203.0.113.128/25", "203.0.113.0/24", "198.51.100.0/24"};
  w.services[s.id] = s;
  const std::string text = w.full();
  CHECK(has(text, "192.0.2.10 . tcp . 80 . 203.0.113.0/24"));
  CHECK(has(text, "192.0.2.10 . tcp . 80 . 198.51.100.0/24"));
  CHECK_FALSE(has(text, "203.0.113.128"));
}

TEST_CASE("of two Services that want one door the lower id has it, and the other gets it when it is free") {
  World w;
  w.full();
  Service a = web(), b = web();
  a.id = "a/a:", b.id = "b/b:";
  b.endpoints = {{"10.244.9.9", 1, true}};
  CHECK(has(w.set(b), "10.244.9.9"));
  const std::string taken = w.set(a);
  CHECK(has(taken, "delete element ip lotse services { 10.96.0.20 . tcp . 80 }"));
  CHECK(has(taken, "10.96.0.20 . tcp . 80 : goto inside-2"));
  CHECK(w.ruleset.waiting().at("b/b:") == "10.96.0.20 . tcp . 80 belongs to a/a:");
  CHECK(has(w.remove(a.id), "10.96.0.20 . tcp . 80 : goto inside-1"));
  CHECK(w.ruleset.waiting().empty());
}

TEST_CASE("affinity has a set that remembers for each endpoint") {
  World w;
  Service s = web();
  s.affinity_s = 30;
  w.services[s.id] = s;
  const std::string text = w.full();
  CHECK(has(text, "timeout 30s"));
  CHECK(has(text, "numgen random mod 2 vmap { 0 : goto aff-"));
  CHECK(has(text, "meta l4proto tcp dnat ip to 10.244.2.7:8080"));
  s.endpoints.pop_back();
  const std::string less = w.set(s);
  CHECK(has(less, "delete set ip lotse aff-"));
  CHECK_FALSE(has(less, "10.244.1.5"));  // the endpoint that stays keeps its chain and its clients
}

TEST_CASE("families do not mix") {
  World w;
  w.ruleset = Ruleset(Family::kIPv6);
  Service s = web();
  s.cluster_ips = {"10.96.0.20", "fd00:0::20"};
  s.endpoints.push_back({"fd00:1::5", 8080, true});
  w.services[s.id] = s;
  const std::string text = w.ruleset.full(w.services, Facts{.pod_cidrs = {"fd00:1::/64"}});
  CHECK(has(text, "fd00::20 . tcp . 80 : goto inside-1"));
  CHECK_FALSE(has(text, "10.244"));
  CHECK_FALSE(has(text, "ipv4"));
}

TEST_CASE("clients that affinity remembers are carried over") {
  const std::string listing =
      "table ip foreign {\n\tset aff-x {\n\t\telements = { 10.0.0.1 }\n\t}\n}\n"
      "table ip lotse {\n\tset hairpins {\n\t\telements = { 10.0.0.2 . 10.0.0.2 }\n\t}\n"
      "\tset aff-x {\n\t\ttype ipv4_addr\n\t\telements = { 10.1.0.1 timeout 30s expires 12s,\n\t\t\t     10.1.0.2 timeout 30s expires 13s }\n\t}\n"
      "\tset aff-gone {\n\t\telements = { 10.1.0.3 }\n\t}\n}\n";
  CHECK(kept_clients(listing, "ip", [](const std::string& name) { return name == "aff-x"; }) ==
        "add element ip lotse aff-x { 10.1.0.1 timeout 30s expires 12s, 10.1.0.2 timeout 30s expires 13s }\n");
}
