#include <catch2/catch.hpp>

#include "tests/unit/network/documents.h"

using namespace lotse;
using namespace lotse::network;

namespace {

std::vector<std::string> ids(const MsgValue& services) {
  std::vector<std::string> out;
  for (const auto& s : services.items()) out.emplace_back(s["id"].as_text());
  std::sort(out.begin(), out.end());
  return out;
}
MsgValue whole(Services& s) { return s.table({"192.0.2.1"}, {"10.244.1.0/24"}, {"10.244.0.0/16"}); }
using List = std::vector<std::string>;

}  // namespace

TEST_CASE("the table has an entry a Service port, with the endpoints of its slices") {
  Services services("n1");
  put_service(services, kWeb);
  put_slice(services, kWebSlice);
  MsgValue table = whole(services);
  CHECK(table["node_name"].as_text() == "n1");
  REQUIRE(ids(table["services"]) == List{"shop/web:dns", "shop/web:http"});
  for (const auto& s : table["services"].items()) {
    if (s["id"].as_text() != "shop/web:http") continue;
    CHECK(s["port"].as_int() == 80);
    CHECK(s["cluster_ips"].as_strings() == List{"10.96.0.20", "fd00::20"});
    REQUIRE(s["endpoints"].items().size() == 2);
    CHECK(s["endpoints"].items()[0]["port"].as_int() == 8080);
    CHECK(s["endpoints"].items()[0]["local"].as_bool());
    CHECK_FALSE(s["endpoints"].items()[1]["local"].as_bool());
    CHECK_FALSE(s["endpoints"].items()[1]["ready"].as_bool());
    CHECK(s["endpoints"].items()[1]["serving"].as_bool());
  }
}

TEST_CASE("headless Services, ExternalNames and our own address are not for the proxy") {
  Services services("n1", {"10.96.0.10"});
  put_service(services, kDb);
  put_service(services, "{apiVersion: v1, kind: Service, metadata: {namespace: a, name: away}, spec: {type: ExternalName, externalName: b.example, ports: [{port: 1}]}}");
  put_service(services, "{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: kube-dns}, spec: {clusterIPs: [10.96.0.10], ports: [{name: dns, port: 53, protocol: UDP}]}}");
  CHECK(whole(services)["services"].items().empty());
  CHECK(services.find("kube-system", "kube-dns"));
}

TEST_CASE("slices may come before their Service, and outlive it") {
  Services services("n1");
  put_slice(services, kWebSlice);
  CHECK_FALSE(services.find("shop", "web"));
  put_service(services, kWeb);
  CHECK(services.find("shop", "web")->slices.size() == 1);
  services.set_service("shop", "web", nullptr);
  CHECK_FALSE(services.has_namespace("shop"));
  put_service(services, kWeb);
  CHECK(services.find("shop", "web")->slices.size() == 1);
  services.set_slice("shop", "web-1", nullptr);
  CHECK(services.find("shop", "web")->slices.empty());
}

TEST_CASE("changes tell what was touched since the last time, and only that") {
  Services services("n1");
  put_service(services, kWeb);
  put_service(services, "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: other}, spec: {clusterIPs: [10.96.0.21], ports: [{name: p, port: 1}]}}");
  (void)whole(services);
  CHECK_FALSE(services.has_changes());
  put_slice(services, kWebSlice);
  CHECK(services.has_changes());
  MsgValue changes = services.changes();
  CHECK(ids(changes["set"]) == List{"shop/web:dns", "shop/web:http"});
  CHECK(changes["removed"].items().empty());
  services.set_service("shop", "web", nullptr);
  changes = services.changes();
  CHECK(changes["set"].items().empty());
  CHECK(changes["removed"].as_strings() == List{"shop/web:dns", "shop/web:http"});
  CHECK_FALSE(services.has_changes());
}

TEST_CASE("a slice that changes hands leaves its old Service") {
  Services services("n1");
  put_service(services, kWeb);
  put_service(services, kDb);
  put_slice(services, kWebSlice);
  std::string moved = kWebSlice;
  moved.replace(moved.find("service-name: web"), 17, "service-name: db");
  put_slice(services, moved);
  CHECK(services.find("shop", "web")->slices.empty());
  CHECK(services.find("shop", "db")->slices.size() == 1);
}

TEST_CASE("a Service is found by its address, a headless one by its endpoints'") {
  Services services("n1");
  put_service(services, kWeb);
  put_service(services, kDb);
  put_slice(services, kDbSlice);
  const Endpoint* endpoint = nullptr;
  CHECK(services.by_ip("10.96.0.20", &endpoint)->name == "web");
  CHECK_FALSE(endpoint);
  CHECK(services.by_ip("10.244.1.7", &endpoint)->name == "db");
  REQUIRE(endpoint);
  CHECK(endpoint->hostname == "db-0");
  services.set_slice("shop", "db-1", nullptr);
  CHECK_FALSE(services.by_ip("10.244.1.7", &endpoint));
}
