#include <catch2/catch.hpp>

#include "plugins/service_table/endpoint_choice.h"
#include "plugins/service_table/service_table.h"
#include "plugins/service_table/stale_connections.h"

using namespace lotse::service_table;
using lotse::sdk::Msg;

TEST_CASE("what is no address, port or name never becomes a rule") {
  Service s;
  Problem p;
  auto entry = [](Msg id, Msg ip, Msg port) { return Msg::map({{"id", id}, {"protocol", "TCP"}, {"cluster_ips", Msg::array({ip})}, {"port", port}}); };
  CHECK_FALSE(parse_service(entry("a/b:c\n-F", "10.0.0.1", 80), &s, &p));
  CHECK_FALSE(parse_service(entry("a/b:c", "10.0.0.1", 70000), &s, &p));
  CHECK(p.message == "a port is out of range");
  CHECK(parse_service(entry("a/b:c", "10.0.0.1 -j ACCEPT", 80), &s, &p));
  CHECK(s.cluster_ips.empty());
  CHECK_FALSE(is_network("10.0.0.0/33", Family::kIPv4));
  CHECK_FALSE(is_network("10.0.0.0/-1", Family::kIPv4));
}

TEST_CASE("the table knows what a call has touched and what was there before") {
  auto entry = [](Msg id, Msg port) { return Msg::map({{"id", id}, {"protocol", "UDP"}, {"cluster_ips", Msg::array({"10.96.0.9"})}, {"port", port}}); };
  ServiceTable table;
  auto changes = table.resync(Msg::map({{"pod_cidrs", Msg::array({"10.244.0.0/24"})}, {"services", Msg::array({entry("a/b:c", 53), entry("a/x:c", 0)})}}));
  CHECK(changes.ids == std::set<std::string>{"a/b:c"});
  CHECK(table.has_family(Family::kIPv4));
  CHECK_FALSE(table.has_family(Family::kIPv6));
  CHECK(table.problems().contains("a/x:c"));
  changes = table.apply(Msg::map({{"set", Msg::array({entry("a/x:c", 54)})}, {"removed", Msg::array({"a/b:c"})}}));
  CHECK(changes.ids == std::set<std::string>{"a/b:c", "a/x:c"});
  CHECK(changes.before.at("a/b:c").port == 53);
  CHECK_FALSE(changes.before.contains("a/x:c"));
  CHECK(table.problems().empty());
  CHECK(table.find("a/x:c")->port == 54);
  CHECK_FALSE(table.find("a/b:c"));
}

TEST_CASE("UDP flows are stale when their endpoint is gone, or when there was none") {
  Service before, now;
  before.protocol = now.protocol = "udp";
  before.cluster_ips = now.cluster_ips = {"10.96.0.9"};
  now.node_port = 30053;
  now.endpoints = {{"10.244.0.5", 53}};
  using Flows = std::vector<std::vector<std::string>>;
  CHECK(stale_flows(&before, &now) == Flows{{"--orig-dst", "10.96.0.9"}, {"--dport", "30053"}});
  CHECK(stale_flows(&now, &now).empty());
  CHECK(stale_flows(&now, nullptr) == Flows{{"--orig-dst", "10.96.0.9", "--reply-src", "10.244.0.5"}, {"--dport", "30053", "--reply-src", "10.244.0.5"}});
  now.protocol = "tcp";
  CHECK(stale_flows(&before, &now).empty());
}
