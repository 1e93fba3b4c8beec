#include "cases.h"

#include <algorithm>

#include "driver.h"
#include "rule.h"

namespace lotse::check::scheduler {
namespace {

// What one answer must be, given the cluster as it was when the pod's turn came.
std::string check(const ModelCluster& c, const ModelPod& pod, const Answer& a) {
  if (a.times != 1) return pod.name + " was answered " + std::to_string(a.times) + " times";
  if (a.kind == Answer::Kind::kAssign) {
    const ModelNode* n = c.node(a.node);
    if (!n) return pod.name + " was given to a node that does not exist: " + a.node;
    std::string why = unfit(c, pod, *n);
    return why.empty() ? "" : pod.name + " was given to " + a.node + ", which is unfit: " + why;
  }
  for (const auto& [node, reasons] : a.reasons)
    if (!c.node(node)) return pod.name + ": a reason for a node that does not exist, '" + node + "': " + reasons[0];
  for (const ModelNode& n : c.nodes) {
    if (unfit(c, pod, n).empty()) return pod.name + " was refused although " + n.name + " is fit";
    auto it = a.reasons.find(n.name);
    if (it == a.reasons.end() || it->second.empty() || it->second[0].empty())
      return pod.name + ": no reason for " + n.name;
  }
  if (a.kind == Answer::Kind::kRefuse) return "";
  if (pod.never_preempts) return pod.name + " must not preempt";
  if (a.victims.empty()) return pod.name + " preempts nobody";
  ModelCluster after = c;
  for (const std::string& uid : a.victims) {
    const ModelPod* v = c.pod(uid);
    if (!v || v->node != a.node) return pod.name + ": a victim that is not on " + a.node + ": " + uid;
    if (v->priority >= pod.priority) return pod.name + " preempts " + uid + ", which is not less important";
    std::erase_if(after.pods, [&](auto& p) { return p.id() == uid; });
  }
  const ModelNode* n = c.node(a.node);
  if (!n) return pod.name + " is to preempt on a node that does not exist";
  std::string why = unfit(after, pod, *n);
  return why.empty() ? "" : pod.name + " would not fit on " + a.node + " without the victims either: " + why;
}

// Nodes and pods come, change and go; batches are asked for in between.
std::string random_walk(const MakeScheduler& make, uint64_t seed, size_t batch_max) {
  Driver d(make());
  Dice dice(seed);
  int number = 0;
  for (int i = 0; i < 8; ++i) d.set(random_node(dice, i));
  for (int round = 0; round < 60; ++round) {
    if (dice.one_in(4)) d.set(random_node(dice, static_cast<int>(dice.roll(10))));
    if (dice.one_in(12) && !d.cluster.nodes.empty())
      d.remove_node(d.cluster.nodes[dice.roll(d.cluster.nodes.size())].name);
    while (!d.cluster.pods.empty() && dice.one_in(3))
      d.remove_pod(d.cluster.pods[dice.roll(d.cluster.pods.size())].id());
    if (!d.cluster.pods.empty() && dice.one_in(4)) {
      ModelPod p = d.cluster.pods[dice.roll(d.cluster.pods.size())];
      p.terminating = true;
      d.set(p);
    }
    std::vector<ModelPod> batch;
    for (size_t i = 0; i <= dice.roll(batch_max); ++i) batch.push_back(random_pod(dice, number++));
    ModelCluster before = d.cluster;
    std::vector<Answer> answers = d.schedule(batch, seed + static_cast<uint64_t>(round));
    for (size_t i = 0; i < batch.size(); ++i) {
      if (std::string why = check(before, batch[i], answers[i]); !why.empty())
        return "seed " + std::to_string(seed) + ", round " + std::to_string(round) + ": " + why;
      if (answers[i].kind != Answer::Kind::kAssign) continue;
      batch[i].node = answers[i].node;
      before.pods.push_back(batch[i]);
    }
    // The host says for some what it has bound; the others count as set all the same.
    d.cluster = before;
    for (const ModelPod& p : batch)
      if (!p.node.empty() && dice.one_in(2)) d.set(p);
  }
  return "";
}

std::string fit_one_by_one(const MakeScheduler& make) {
  for (uint64_t seed = 1; seed <= 20; ++seed)
    if (std::string why = random_walk(make, seed, 1); !why.empty()) return why;
  return "";
}

std::string fit_in_batches(const MakeScheduler& make) {
  for (uint64_t seed = 100; seed < 115; ++seed)
    if (std::string why = random_walk(make, seed, 16); !why.empty()) return why;
  return "";
}

std::string deterministic(const MakeScheduler& make) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<std::vector<Answer>> runs;
    for (int run = 0; run < 2; ++run) {
      Driver d(make());
      Dice dice(seed);
      for (int i = 0; i < 12; ++i) d.set(random_node(dice, i));
      std::vector<Answer>& all = runs.emplace_back();
      for (int round = 0; round < 10; ++round) {
        std::vector<ModelPod> batch;
        for (int i = 0; i < 8; ++i) batch.push_back(random_pod(dice, round * 8 + i));
        auto answers = d.schedule(batch, seed);
        all.insert(all.end(), answers.begin(), answers.end());
      }
    }
    if (runs[0] != runs[1])
      return "the same calls with the same seeds were answered differently (seed " + std::to_string(seed) + ")";
  }
  return "";
}

std::string batch_assumes(const MakeScheduler& make) {
  Driver d(make());
  ModelNode n;
  n.name = "only";
  n.allocatable = {{"cpu", 1000}, {"memory", 1 << 30}, {"pods", 10}};
  d.set(n);
  std::vector<ModelPod> batch(3);
  for (size_t i = 0; i < batch.size(); ++i) batch[i].name = "p" + std::to_string(i), batch[i].requests = {{"cpu", 400}};
  auto a = d.schedule(batch, 1);
  if (a[0].kind != Answer::Kind::kAssign || a[1].kind != Answer::Kind::kAssign)
    return "two pods that fit were not both placed";
  if (a[2].kind == Answer::Kind::kAssign)
    return "a third pod was placed as if the first two of the batch were not there";
  d.remove_pod("p0");
  if (d.schedule({batch[2]}, 2)[0].kind != Answer::Kind::kAssign) return "room was not given back by pod_remove";
  return "";
}

std::string no_nodes(const MakeScheduler& make) {
  Driver d(make());
  ModelPod p;
  p.name = "p";
  Answer a = d.schedule({p}, 1)[0];
  if (a.times != 1 || a.kind != Answer::Kind::kRefuse) return "without any node a pod must be refused, once";
  return a.reasons.empty() ? "" : "reasons for nodes that do not exist";
}

std::string named_node(const MakeScheduler& make) {
  Driver d(make());
  for (const char* name : {"a", "b", "c"}) {
    ModelNode n;
    n.name = name;
    d.set(n);
  }
  ModelPod p;
  p.name = "p", p.node = "b";
  Answer a = d.schedule({p}, 1)[0];
  return a.kind == Answer::Kind::kAssign && a.node == "b" ? ""
                                                          : "a pod that names its node must go there and nowhere else";
}

std::string reserved_room(const MakeScheduler& make) {
  Driver d(make());
  ModelNode n;
  n.name = "only";
  n.allocatable = {{"cpu", 1000}, {"memory", 1 << 30}, {"pods", 10}};
  d.set(n);
  ModelPod kept;
  kept.name = "kept", kept.node = "only", kept.requests = {{"cpu", 800}}, kept.priority = 10;
  d.set(kept);
  ModelPod other;
  other.name = "other", other.requests = {{"cpu", 800}}, other.priority = 10;
  if (d.schedule({other}, 1)[0].kind != Answer::Kind::kRefuse)
    return "room that is kept for another pod was given away";
  kept.nominated = "only", kept.node = "";
  Answer a = d.schedule({kept}, 2)[0];
  return a.kind == Answer::Kind::kAssign ? "" : "a pod did not get the room that is kept for itself";
}

std::string preempts_least(const MakeScheduler& make) {
  Driver d(make());
  for (const char* name : {"a", "b"}) {
    ModelNode n;
    n.name = name;
    n.allocatable = {{"cpu", 1000}, {"memory", 1 << 30}, {"pods", 10}};
    d.set(n);
  }
  auto pod = [&](const char* name, const char* node, int32_t priority, bool disruption) {
    ModelPod p;
    p.name = name, p.node = node, p.requests = {{"cpu", 500}}, p.priority = priority, p.disruption = disruption;
    d.set(p);
  };
  pod("a1", "a", 1, true), pod("a2", "a", 50, false), pod("b1", "b", 5, false), pod("b2", "b", 50, false);
  ModelPod p;
  p.name = "p", p.requests = {{"cpu", 500}}, p.priority = 40;
  Answer a = d.schedule({p}, 1)[0];
  if (a.kind != Answer::Kind::kPreempt) return "a more important pod was not given a node by preemption";
  if (a.node != "b" || a.victims != std::vector<std::string>{"b1"})
    return "a disruption budget was broken where another victim breaks none";
  return "";
}

// Plain pods, one after the other, each given to one of the nodes that the rule puts first.
std::string as_claimed(const MakeScheduler& make) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Driver d(make());
    const std::string rule = d.claim();
    if (rule.empty()) return "";
    if (!knows_rule(rule)) return "the policy claims a rule that nobody knows: " + rule;
    Dice dice(seed);
    for (int i = 0; i < 9; ++i) d.set(plain(random_node(dice, i)));
    for (int number = 0; number < 40; ++number) {
      if (dice.one_in(8)) d.set(plain(random_node(dice, static_cast<int>(dice.roll(11)))));
      if (dice.one_in(3) && !d.cluster.pods.empty())
        d.remove_pod(d.cluster.pods[dice.roll(d.cluster.pods.size())].id());
      ModelPod p = plain(random_pod(dice, number), rule);
      const std::vector<std::string> first = first_by(rule, d.cluster, p);
      Answer a = d.schedule({p}, seed)[0];
      if (a.kind != Answer::Kind::kAssign) continue;
      if (std::find(first.begin(), first.end(), a.node) == first.end())
        return "seed " + std::to_string(seed) + ": " + p.name + " was given to " + a.node + ", but by the rule '" + rule +
               "' " + (first.empty() ? "nowhere" : first[0]) + " comes first";
      p.node = a.node;
      p.terminating = dice.one_in(8);
      d.set(p);
    }
  }
  return "";
}

}  // namespace

const std::vector<SchedulerCase>& scheduler_cases() {
  static const std::vector<SchedulerCase> kCases = {
      {"fit", "a pod is never given to a node that is unfit, and never refused if one is fit; reasons are complete",
       fit_one_by_one},
      {"batches", "in a batch each pod sees those before it", fit_in_batches},
      {"deterministic", "the same calls with the same seeds give the same answers", deterministic},
      {"assumes", "an assigned pod takes room until it is removed", batch_assumes},
      {"no-nodes", "without nodes pods are refused", no_nodes},
      {"named-node", "spec.nodeName is obeyed", named_node},
      {"reserved", "room kept for a nominated pod is its own", reserved_room},
      {"claim", "among fit nodes a policy that claims a rule chooses as the rule says", as_claimed},
      {"preempts-least", "preemption breaks no disruption budget without need", preempts_least},
  };
  return kCases;
}

}  // namespace lotse::check::scheduler
