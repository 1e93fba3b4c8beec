#include "core/api/address_range.h"
#include "unit/api/fixture.h"

namespace lotse::api {
namespace {

std::string service(const std::string& name, const std::string& fields = "", const std::string& port = R"("port":80)") {
  return R"({"metadata":{"name":")" + name + R"("},"spec":{)" + fields + R"("selector":{"app":"web"},"ports":[{)" + port + "}]}}";
}

}  // namespace

TEST_CASE("Addresses of a range") {
  const auto v4 = AddressRange::parse("10.96.0.7/24");
  REQUIRE(v4.ok());
  CHECK(v4->text() == "10.96.0.0/24");
  CHECK(v4->size() == 254);
  CHECK(v4->at(0) == "10.96.0.1");
  CHECK(v4->at(253) == "10.96.0.254");
  CHECK(v4->contains("10.96.0.9"));
  CHECK_FALSE(v4->contains("10.96.1.9"));
  CHECK_FALSE(v4->contains("fd00::1"));
  CHECK(v4->dynamic_start() == 16);
  const auto v6 = AddressRange::parse("fd00::/108");
  REQUIRE(v6.ok());
  CHECK(v6->at(0) == "fd00::1");
  CHECK(v6->at(0xffff) == "fd00::1:0");
  CHECK_FALSE(AddressRange::parse("10.0.0.0").ok());
  CHECK_FALSE(AddressRange::parse("10.0.0.0/33").ok());
}

TEST_CASE_METHOD(ServerFixture, "A service gets an address of its own, and gives it back") {
  const auto a = must(create("services", "default", service("a")));
  const std::string ip(a["spec"]["clusterIP"].str());
  CHECK(AddressRange::parse("10.96.0.0/24")->contains(ip));
  CHECK(a["spec"]["clusterIPs"].at(0).str() == ip);
  CHECK(a["spec"]["ipFamilies"].at(0).str() == "IPv4");
  CHECK(a["spec"]["ipFamilyPolicy"].str() == "SingleStack");
  CHECK(a["spec"]["type"].str() == "ClusterIP");
  const auto taken = create("services", "default", service("b", R"("clusterIP":")" + ip + R"(",)"));
  CHECK(taken.status == 422);
  CHECK(value(taken)["message"].str().find("provided IP is already allocated") != std::string_view::npos);
  must(remove("services", "default", "a"));
  settle();
  CHECK(create("services", "default", service("b", R"("clusterIP":")" + ip + R"(",)")).status == 201);
  CHECK(create("services", "default", service("c", R"("clusterIP":"192.0.2.1",)")).status == 422);
}

TEST_CASE_METHOD(ServerFixture, "Headless and external services have no address") {
  CHECK(must(create("services", "default", service("h", R"("clusterIP":"None",)")))["spec"]["clusterIP"].str() == "None");
  const auto e = must(create("services", "default", R"({"metadata":{"name":"e"},"spec":{"type":"ExternalName","externalName":"example.com"}})"));
  CHECK_FALSE(e["spec"].has("clusterIP"));
  CHECK(store->count("lotse/serviceips", "") == 0);
}

TEST_CASE_METHOD(ServerFixture, "Node ports are given, kept and freed") {
  const auto a = must(create("services", "default", service("a", R"("type":"NodePort",)")));
  const int64_t port = a["spec"]["ports"].at(0)["nodePort"].integer();
  CHECK(port >= 30000);
  CHECK(port <= 30099);
  CHECK(create("services", "default", service("b", R"("type":"NodePort",)", R"("port":80,"nodePort":)" + std::to_string(port))).status == 422);
  CHECK(create("services", "default", service("b", R"("type":"NodePort",)", R"("port":80,"nodePort":80)")).status == 422);
  // An update that leaves the port and the address out keeps them.
  auto bare = *json::parse(service("a", R"("type":"NodePort",)", R"("port":80)"));
  const auto kept = must(update("services", "default", "a", bare));
  CHECK(kept["spec"]["ports"].at(0)["nodePort"].integer() == port);
  CHECK(kept["spec"]["clusterIP"] == a["spec"]["clusterIP"]);
  const auto plain = must(patch("services", "default", "a", R"({"spec":{"type":"ClusterIP"}})"));
  CHECK_FALSE(plain["spec"]["ports"].at(0).has("nodePort"));
  settle();
  CHECK(store->count("lotse/nodeports", "") == 0);
}

TEST_CASE_METHOD(ServerFixture, "What a refused service had taken is given back") {
  const auto r = create("services", "default", service("A_", R"("type":"NodePort",)"));
  CHECK(r.status == 422);
  settle();
  CHECK(store->count("lotse/nodeports", "") == 0);
  CHECK(store->count("lotse/serviceips", "") == 0);
  auto dry = request(Verb::kCreate, "services", "default", {}, service("d"));
  dry.options = {{"dryRun", "All"}};
  CHECK_FALSE(must(ask(dry))["spec"]["clusterIP"].str().empty());
  settle();
  CHECK(store->count("lotse/serviceips", "") == 0);
}

TEST_CASE_METHOD(ServerFixture, "A cluster with two families gives two addresses where they are wanted") {
  ServerConfig config;
  config.service_cidrs = {"10.96.0.0/24", "fd00:96::/112"};
  config.version = "v1.36.0+lotse.test";
  make(config);
  const auto two = must(create("services", "default", service("two", R"("ipFamilyPolicy":"PreferDualStack",)")));
  CHECK(two["spec"]["clusterIPs"].size() == 2);
  CHECK(two["spec"]["ipFamilies"].at(1).str() == "IPv6");
  const auto six = must(create("services", "default", service("six", R"("ipFamilies":["IPv6"],)")));
  CHECK(six["spec"]["clusterIP"].str().find(':') != std::string_view::npos);
  CHECK(six["spec"]["clusterIPs"].size() == 1);
}

TEST_CASE_METHOD(ServerFixture, "What a crash left reserved is found at the start") {
  must(create("services", "default", service("a", R"("clusterIP":"10.96.0.10",)")));
  store::Write left;
  left.key = {"lotse/serviceips", "", "10.96.0.200"};
  left.object = Object::from_value(json::Value::object({{"apiVersion", "lotse/v1"}, {"kind", "Reservation"}, {"metadata", json::Value::object({{"name", "10.96.0.200"}})}}), 0);
  REQUIRE(store::commit_and_wait(*store, left).ok());
  CHECK(store->count("lotse/serviceips", "") == 2);
  server->bootstrap([](Status) {});
  settle();
  CHECK(store->count("lotse/serviceips", "") == 1);
}

}  // namespace lotse::api
