#include <catch2/catch.hpp>

#include "plugins/proxy_ipvs/virtual_services.h"

using namespace lotse::proxy_ipvs;
using namespace std::chrono_literals;

namespace {

struct FakeKernel : Ipvs {
  struct Entry {
    KernelVirtual v;
    std::map<Destination, KernelDestination> to;
  };
  std::map<VirtualKey, Entry> list;
  int changes = 0;

  std::vector<VirtualKey> ours() override {
    std::vector<VirtualKey> out;
    for (const auto& [key, e] : list)
      if (e.v.ours) out.push_back(key);
    return out;
  }
  std::optional<KernelVirtual> find(const VirtualKey& key) override {
    return list.contains(key) ? std::optional(list[key].v) : std::nullopt;
  }
  std::map<Destination, KernelDestination> destinations(const VirtualKey& key) override { return list.contains(key) ? list[key].to : decltype(Entry::to)(); }
  void set(const VirtualKey& key, const std::string& scheduler, int persistence_s, bool exists) override {
    REQUIRE(exists == list.contains(key));
    list[key].v = {scheduler, persistence_s, true};
    ++changes;
  }
  void remove(const VirtualKey& key) override { list.erase(key), ++changes; }
  void set(const VirtualKey& key, const Destination& to, int weight, bool exists) override {
    REQUIRE(list.contains(key));
    REQUIRE(exists == list[key].to.contains(to));
    list[key].to[to].weight = weight;
    ++changes;
  }
  void remove(const VirtualKey& key, const Destination& to) override { list[key].to.erase(to), ++changes; }
  void require_scheduler(const std::string&) override {}
};

const VirtualKey kWeb{Family::kIPv4, "tcp", "10.96.0.20", 80};
const Destination kOne{"10.244.1.5", 8080}, kTwo{"10.244.1.6", 8080};
const VirtualServices::Time kNow{};

Virtual web(std::set<Destination> to, int persistence_s = 0) { return {"default/web:http", persistence_s, std::move(to)}; }

}  // namespace

TEST_CASE("the kernel's list becomes what is wanted, and is not touched when it is that") {
  FakeKernel kernel;
  VirtualServices services("rr", 15min);
  CHECK(services.bring_all(kernel, {{kWeb, web({kOne, kTwo})}}, kNow).empty());
  CHECK(kernel.list[kWeb].to.size() == 2);
  CHECK(kernel.list[kWeb].to[kOne].weight == 1);
  kernel.changes = 0;
  services.bring_all(kernel, {{kWeb, web({kOne, kTwo})}}, kNow);
  CHECK(kernel.changes == 0);
  services.bring_all(kernel, {{kWeb, web({kOne, kTwo}, 300)}}, kNow);
  CHECK(kernel.list[kWeb].v.persistence_s == 300);
  CHECK(kernel.changes == 1);
  services.bring_all(kernel, {}, kNow);
  CHECK(kernel.list.empty());
}

TEST_CASE("an endpoint that is gone is drained: nothing new, and out with its last connection") {
  FakeKernel kernel;
  VirtualServices services("rr", 15min);
  services.bring_all(kernel, {{kWeb, web({kOne, kTwo})}}, kNow);
  kernel.list[kWeb].to[kTwo].connections = 1;
  const Virtual now = web({kOne});
  services.bring(kernel, kWeb, &now, kNow);
  CHECK(kernel.list[kWeb].to[kTwo].weight == 0);
  CHECK(services.draining());
  services.collect(kernel, kNow + 1min);
  CHECK(kernel.list[kWeb].to.contains(kTwo));
  kernel.list[kWeb].to[kTwo].connections = 0;
  services.collect(kernel, kNow + 2min);
  CHECK_FALSE(kernel.list[kWeb].to.contains(kTwo));
  CHECK(kernel.list[kWeb].to.contains(kOne));
  CHECK_FALSE(services.draining());
}

TEST_CASE("it goes with its connections after the deadline, and stays when it is wanted again") {
  FakeKernel kernel;
  VirtualServices services("rr", 15min);
  const Virtual both = web({kOne, kTwo}), one = web({kOne});
  services.bring(kernel, kWeb, &both, kNow);
  kernel.list[kWeb].to[kTwo].connections = 1;
  services.bring(kernel, kWeb, &one, kNow);
  services.bring(kernel, kWeb, &both, kNow);
  CHECK(kernel.list[kWeb].to[kTwo].weight == 1);
  CHECK_FALSE(services.draining());
  services.bring(kernel, kWeb, &one, kNow);
  services.bring(kernel, kWeb, &one, kNow + 14min);  // does not begin anew
  services.collect(kernel, kNow + 15min);
  CHECK_FALSE(kernel.list[kWeb].to.contains(kTwo));
}

TEST_CASE("the last endpoint is drained too; its virtual service goes with it") {
  FakeKernel kernel;
  VirtualServices services("rr", 15min);
  const Virtual one = web({kOne}), none = web({});
  services.bring(kernel, kWeb, &none, kNow);
  CHECK(kernel.list.empty());
  services.bring(kernel, kWeb, &one, kNow);
  kernel.list[kWeb].to[kOne].connections = 1;
  services.bring(kernel, kWeb, &none, kNow);
  CHECK(kernel.list[kWeb].to[kOne].weight == 0);
  kernel.list[kWeb].to[kOne].connections = 0;
  services.collect(kernel, kNow + 1s);
  CHECK(kernel.list.empty());
}

TEST_CASE("a new instance carries on with what another has begun to drain") {
  FakeKernel kernel;
  const Virtual both = web({kOne, kTwo}), one = web({kOne});
  VirtualServices("rr", 15min).bring(kernel, kWeb, &both, kNow);
  kernel.list[kWeb].to[kTwo] = {0, 1};
  VirtualServices services("rr", 15min);
  services.bring_all(kernel, {{kWeb, one}}, kNow);
  CHECK(services.draining());
}

TEST_CASE("UDP, and the scheduler that has no second choice, do not wait") {
  FakeKernel kernel;
  VirtualKey udp = kWeb;
  udp.protocol = "udp";
  for (const auto& [key, scheduler] : {std::pair(udp, "rr"), std::pair(kWeb, "dh")}) {
    VirtualServices services(scheduler, 15min);
    const Virtual both = web({kOne, kTwo}), one = web({kOne});
    services.bring(kernel, key, &both, kNow);
    kernel.list[key].to[kTwo].connections = 5;
    services.bring(kernel, key, &one, kNow);
    CHECK_FALSE(kernel.list[key].to.contains(kTwo));
  }
}

TEST_CASE("another program's virtual services are left alone, and named as a problem") {
  FakeKernel kernel;
  kernel.list[kWeb].v = {"wlc", 0, false};
  VirtualServices services("rr", 15min);
  const auto problems = services.bring_all(kernel, {{kWeb, web({kOne})}}, kNow);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].id == "default/web:http");
  CHECK(problems[0].reason == "AddressInUse");
  services.bring_all(kernel, {}, kNow);
  CHECK(kernel.list[kWeb].v.scheduler == "wlc");
  CHECK(kernel.list[kWeb].to.empty());
}
