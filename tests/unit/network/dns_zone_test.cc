#include <catch2/catch.hpp>

#include "core/network/dns_zone.h"
#include "tests/unit/network/documents.h"

using namespace lotse::network;
using namespace lotse::network::dns;

namespace {

struct Asked {
  Services services{"n1"};
  Zone zone{"cluster.local", services};
  std::string ask_for;
  Asked() {
    for (auto* s : {kWeb, kDb}) put_service(services, s);
    for (auto* s : {kWebSlice, kDbSlice}) put_slice(services, s);
    put_service(services, "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: away}, spec: {type: ExternalName, externalName: lotse.example.}}");
  }
  std::optional<Answer> operator()(const std::string& name, uint16_t type) {
    Query q;
    q.name = name;
    q.type = type;
    q.cls = 1;
    return zone.answer(q, &ask_for);
  }
  // The answers' data, addresses as raw bytes.
  std::vector<std::string> data(const std::string& name, uint16_t type) {
    std::vector<std::string> out;
    auto answer = (*this)(name, type);
    REQUIRE(answer);
    CHECK(answer->code == kNoError);
    for (const auto& r : answer->answers) out.push_back(r.data);
    std::sort(out.begin(), out.end());
    return out;
  }
  Code code(const std::string& name, uint16_t type = kA) { return (*this)(name, type)->code; }
};

using List = std::vector<std::string>;
List addresses(List ips) {
  for (auto& ip : ips) ip = address_data(ip);
  return ips;
}

}  // namespace

TEST_CASE("a Service's name is its cluster addresses, each family by its type") {
  Asked ask;
  CHECK(ask.data("web.shop.svc.cluster.local", kA) == addresses({"10.96.0.20"}));
  CHECK(ask.data("web.shop.svc.cluster.local", kAaaa) == addresses({"fd00::20"}));
}

TEST_CASE("there is a name without a record, and there is no such name") {
  Asked ask;
  CHECK(ask.code("web.shop.svc.cluster.local", kTxt) == kNoError);
  CHECK(ask.code("shop.svc.cluster.local") == kNoError);
  CHECK(ask.code("svc.cluster.local") == kNoError);
  CHECK(ask.code("cluster.local") == kNoError);
  for (const char* name : {"nothing.shop.svc.cluster.local", "elsewhere.svc.cluster.local", "x.web.shop.svc.cluster.local", "a.b.c.d.e.svc.cluster.local", "node.cluster.local"}) {
    INFO(name);
    CHECK(ask.code(name) == kNxDomain);
    CHECK(ask(name, kA)->authority.at(0).type == kSoa);
  }
}

TEST_CASE("other zones are others' to answer") {
  Asked ask;
  CHECK_FALSE(ask("lotse.example", kA));
  CHECK_FALSE(ask("notcluster.local", kA));
  CHECK_FALSE(ask("1.2.0.192.in-addr.arpa", kPtr));
}

TEST_CASE("a headless Service is its ready endpoints, and each has a name") {
  Asked ask;
  CHECK(ask.data("db.shop.svc.cluster.local", kA) == addresses({"10.244.1.7", "10.244.2.8"}));
  CHECK(ask.data("db-0.db.shop.svc.cluster.local", kA) == addresses({"10.244.1.7"}));
  CHECK(ask.data("10-244-2-8.db.shop.svc.cluster.local", kA) == addresses({"10.244.2.8"}));
  CHECK(ask.code("db-2.db.shop.svc.cluster.local") == kNxDomain);
}

TEST_CASE("SRV tells the ports, with their targets' addresses") {
  Asked ask;
  auto answer = ask("_http._tcp.web.shop.svc.cluster.local", kSrv);
  REQUIRE(answer->answers.size() == 2);  // one a cluster address
  CHECK(answer->answers[0].data == srv("", 80, "web.shop.svc.cluster.local", 5).data);
  CHECK(answer->additional.size() == 2);
  auto headless = ask("_sql._tcp.db.shop.svc.cluster.local", kSrv);
  REQUIRE(headless->answers.size() == 2);
  CHECK(headless->answers[0].data == srv("", 5432, "db-0.db.shop.svc.cluster.local", 5).data);
  CHECK(ask.code("_http._udp.web.shop.svc.cluster.local", kSrv) == kNxDomain);
  CHECK(ask.code("http.tcp.web.shop.svc.cluster.local", kSrv) == kNxDomain);
}

TEST_CASE("addresses have names") {
  Asked ask;
  CHECK(ask.data("20.0.96.10.in-addr.arpa", kPtr) == List{wire_name("web.shop.svc.cluster.local")});
  CHECK(ask.data("7.1.244.10.in-addr.arpa", kPtr) == List{wire_name("db-0.db.shop.svc.cluster.local")});
  CHECK(ask.data("0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", kPtr) == List{wire_name("web.shop.svc.cluster.local")});
}

TEST_CASE("an ExternalName is a CNAME whose target is to be asked for") {
  Asked ask;
  CHECK(ask.data("away.shop.svc.cluster.local", kA) == List{wire_name("lotse.example")});
  CHECK(ask.ask_for == "lotse.example");
}

TEST_CASE("a pod's name is its address; the zone's version is told") {
  Asked ask;
  CHECK(ask.data("10-244-1-5.shop.pod.cluster.local", kA) == addresses({"10.244.1.5"}));
  CHECK(ask.code("no-address.shop.pod.cluster.local") == kNxDomain);
  CHECK(ask.data("dns-version.cluster.local", kTxt) == List{"\5" "1.1.0"});
}
