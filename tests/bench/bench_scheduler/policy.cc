// How many pods a second the default policy places: 5,000 pods of a few templates onto 1,000 nodes in batches, once
// without and once with spread constraints and affinity.
#include "lotse/scheduling/policy.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "sdk/conformance/scheduler/model.h"

using namespace lotse::check::scheduler;

namespace {
struct Tally {
  size_t assigned = 0, refused = 0;
  static void assign(void* ctx, size_t, lotse_bytes) { ++static_cast<Tally*>(ctx)->assigned; }
  static void refuse(void* ctx, size_t, const lotse_sched_reason*, size_t) { ++static_cast<Tally*>(ctx)->refused; }
  static void preempt(void* ctx, size_t, lotse_bytes, const lotse_bytes*, size_t, const lotse_sched_reason*, size_t) {
    ++static_cast<Tally*>(ctx)->refused;
  }
};

void run(const char* title, size_t node_count, size_t pod_count, bool constraints) {
  lotse::scheduling::Policy policy(lotse::scheduling::default_profile());
  for (size_t i = 0; i < node_count; ++i) {
    ModelNode n;
    n.name = "node-" + std::to_string(i);
    n.labels = {{"kubernetes.io/hostname", n.name}, {"topology.kubernetes.io/zone", "zone-" + std::to_string(i % 3)}};
    policy.node_set(Wire(n).node());
  }
  std::vector<std::unique_ptr<Wire>> pods;
  for (size_t i = 0; i < pod_count; ++i) {
    ModelPod p;
    const std::string app = "app-" + std::to_string(i % 10);
    p.name = app + "-" + std::to_string(i);
    p.owner = "owner-" + app;
    p.labels = {{"app", app}};
    p.requests = {{"cpu", 100}, {"memory", 128 << 20}};
    ModelTerm mine{{{"app", LOTSE_OP_IN, {app}, false}}, 0};
    if (constraints) {
      p.spread = {{mine, "topology.kubernetes.io/zone", 1, 0, true}};
      p.anti_affinity = {{mine, "kubernetes.io/hostname", 100}};
    }
    pods.push_back(std::make_unique<Wire>(p));
  }
  Tally tally;
  lotse_sched_answers answers{sizeof answers, 0, &tally, Tally::assign, Tally::refuse, Tally::preempt};
  auto start = std::chrono::steady_clock::now();
  constexpr size_t kBatch = 256;
  for (size_t i = 0; i < pods.size(); i += kBatch) {
    std::vector<const lotse_sched_pod*> batch;
    for (size_t j = i; j < pods.size() && j < i + kBatch; ++j) batch.push_back(&pods[j]->pod());
    policy.schedule(batch.data(), batch.size(), i, answers);
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%s: %zu pods onto %zu nodes: %zu placed, %zu refused in %.3f s: %.0f pods/s\n", title, pod_count,
              node_count, tally.assigned, tally.refused, seconds, static_cast<double>(pod_count) / seconds);
}
}  // namespace

int main(int argc, char** argv) {
  size_t nodes = argc > 1 ? static_cast<size_t>(std::atol(argv[1])) : 1000;
  size_t pods = argc > 2 ? static_cast<size_t>(std::atol(argv[2])) : 5000;
  run("policy, plain", nodes, pods, false);
  run("policy, zone spread + preferred anti-affinity", nodes, pods, true);
  run("policy, five times as many nodes", nodes * 5, pods, false);
}
