// How many pods a second get a node: queue, policy, bindings through the API server, over a store in memory. Nodes and
// pods are there before the scheduler starts; the clock stops when the last pod is bound.
#include <stdlib.h>
#include <sys/resource.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <lotse/state/instance.hpp>
#include <mutex>

#include "core/api/server.h"
#include "core/base/log.h"
#include "core/base/loop.h"
#include "core/sched/scheduler.h"
#include "core/security/security.h"
#include "core/store/open.h"
#include "plugins/scheduler_default/default_policy.h"
#include "plugins/state_memory/memory_storage.h"

using namespace lotse;

namespace {
struct MemoryState : state::EngineInstance {
  explicit MemoryState(const sdk::Host& host)
      : EngineInstance(host, std::make_unique<state_memory::MemoryStorage>(uint64_t{1} << 30)) {}
};

struct Count {
  std::mutex mutex;
  std::condition_variable changed;
  size_t open = 0, failed = 0;
  void begin() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open < 256; });
    ++open;
  }
  void end(bool ok) {
    std::lock_guard lock(mutex);
    --open, failed += !ok;
    changed.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open == 0; });
  }
};

void send(api::Handler& server, Count& count, api::Verb verb, const char* resource, const char* ns,
          const std::string& name, const char* subresource, const std::string& body) {
  static const auto admin = std::make_shared<const security::User>(
      security::User{"admin", "", {"system:masters", "system:authenticated"}, {}});
  api::Request r;
  r.verb = verb, r.version = "v1", r.resource = resource, r.ns = ns, r.name = name, r.subresource = subresource;
  r.content_type = verb == api::Verb::kPatch ? "application/merge-patch+json" : "application/json";
  r.body = Bytes(body);
  r.peer.trusted = admin;
  count.begin();
  server.handle(std::move(r), [&count](api::Response response) { count.end(response.status / 100 == 2); });
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
// Of all threads: what the machine's other work does not blur.
double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}
}  // namespace

int main(int argc, char** argv) {
  const int nodes = argc > 1 ? atoi(argv[1]) : 1000, pods = argc > 2 ? atoi(argv[2]) : 5000;
  log::set_level(log::Level::kWarn);
  char dir[] = "/tmp/lotse-bench-XXXXXX";
  if (!mkdtemp(dir)) return 1;
  static const lotse_host host{sizeof(lotse_host), 0, nullptr, "0",
                               [](void*, const char*) -> const void* { return nullptr; }};
  auto* state = new MemoryState(sdk::Host(&host));
  auto store =
      std::move(*store::open_on(reinterpret_cast<const lotse_state*>(state->c_instance()), Clock::system(), {}));
  auto authority = std::move(*security::Authority::open(dir, Clock::system()));
  auto tokens = std::move(*security::TokenIssuer::open(dir, "https://kubernetes.default.svc", Clock::system()));
  LoopThread api_loop("api"), sched_loop("sched"), policy_loop("policy");
  WorkerPool pool("bench", 1, 16);
  api::ServerConfig config;
  config.service_cidrs = {"10.96.0.0/16"};
  auto server = api::Server::make(*store, *authority, *tokens, api_loop.loop(), pool, Clock::system(), config);
  Count count;
  count.begin();
  server->bootstrap([&](Status s) { count.end(s.ok()); });
  count.wait();
  send(*server, count, api::Verb::kCreate, "serviceaccounts", "default", "", "", R"({"metadata":{"name":"default"}})");
  count.wait();
  for (int i = 0; i < nodes; ++i) {
    const std::string name = "node-" + std::to_string(i);
    send(*server, count, api::Verb::kCreate, "nodes", "", "", "",
         R"({"metadata":{"name":")" + name + R"(","labels":{"kubernetes.io/hostname":")" + name +
             R"(","topology.kubernetes.io/zone":"z)" + std::to_string(i % 3) + R"("}}})");
  }
  count.wait();
  for (int i = 0; i < nodes; ++i) {
    const std::string name = "node-" + std::to_string(i);
    send(*server, count, api::Verb::kPatch, "nodes", "", name, "", R"({"spec":{"taints":null}})");
    send(*server, count, api::Verb::kPatch, "nodes", "", name, "status",
         R"({"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"}}})");
  }
  count.wait();
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < pods; ++i)
    send(
        *server, count, api::Verb::kCreate, "pods", "default", "", "",
        R"({"metadata":{"name":"p-)" + std::to_string(i) + R"(","labels":{"app":"a)" + std::to_string(i % 10) +
            R"("},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r","uid":"u)" +
            std::to_string(i % 10) +
            R"(","controller":true}]},"spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"100m","memory":"64Mi"}}}]}})");
  count.wait();
  std::printf("%d pods created in %.2f s (%.0f/s), %zu requests failed\n", pods, seconds_since(start),
              pods / seconds_since(start), count.failed);

  sdk::Config options(sdk::Msg::map({{"owner_spread", true}, {"preemption", true}}));
  auto policy = std::make_unique<scheduler_default::DefaultPolicy>(sdk::Host(&host), options);
  sched::Scheduler scheduler(*store, *server, sched_loop.loop(), policy_loop.loop(),
                             {{{"default-scheduler"}, reinterpret_cast<const lotse_scheduler*>(policy->c_instance())}});
  start = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  sched_loop.loop().post([&] { (void)scheduler.start(); });
  sched::Counters last;
  double done = 0;
  for (int i = 0; i < 6000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::mutex mutex;
    std::condition_variable there;
    bool got = false;
    sched_loop.loop().post([&] {
      std::lock_guard lock(mutex);
      last = scheduler.counters();
      got = true;
      there.notify_one();
    });
    std::unique_lock lock(mutex);
    there.wait(lock, [&] { return got; });
    done = seconds_since(start);
    if (last.scheduled >= static_cast<uint64_t>(pods)) break;
  }
  std::printf(
      "whole way: %llu of %d pods bound to %d nodes in %.2f s: %.0f pods/s, %.0f µs of CPU a pod (%llu bind errors, "
      "%llu refused)\n",
      static_cast<unsigned long long>(last.scheduled), pods, nodes, done, static_cast<double>(last.scheduled) / done,
      (cpu_seconds() - cpu) * 1e6 / pods, static_cast<unsigned long long>(last.bind_errors),
      static_cast<unsigned long long>(last.unschedulable));
  std::fflush(stdout);
  std::filesystem::remove_all(dir);
  _exit(last.scheduled == static_cast<uint64_t>(pods) ? 0 : 1);  // threads are not worth ending one by one here
}
