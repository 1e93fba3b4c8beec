#include "driver.h"

#include <algorithm>

#include "lotse/abi/scheduler_claim.h"

namespace lotse::check::scheduler {
namespace {
std::string text(lotse_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}

struct Sink {
  std::vector<Answer> answers;
  Answer* at(size_t pod) {
    if (pod >= answers.size()) return nullptr;
    ++answers[pod].times;
    return &answers[pod];
  }
};

void take_reasons(Answer* a, const lotse_sched_reason* reasons, size_t count) {
  for (size_t i = 0; i < count; ++i) a->reasons[text(reasons[i].node)].push_back(text(reasons[i].reason));
}
}  // namespace

std::string Driver::claim() const {
  const lotse_instance& base = scheduler_->base;
  const void* found = base.extension ? base.extension(base.self, LOTSE_SCHEDULER_CLAIM) : nullptr;
  return found ? static_cast<const lotse_scheduler_claim*>(found)->rule : "";
}

void Driver::set(const ModelNode& node) {
  std::erase_if(cluster.nodes, [&](auto& n) { return n.name == node.name; });
  cluster.nodes.push_back(node);
  Wire wire(node);
  scheduler_->node_set(scheduler_->base.self, &wire.node());
}

void Driver::set(const ModelPod& pod) {
  std::erase_if(cluster.pods, [&](auto& p) { return p.id() == pod.id(); });
  cluster.pods.push_back(pod);
  Wire wire(pod);
  scheduler_->pod_set(scheduler_->base.self, &wire.pod());
}

void Driver::remove_node(const std::string& named) {
  const std::string name = named;  // it may belong to the node that goes
  std::vector<std::string> on_it;
  for (const ModelPod& p : cluster.pods)
    if (p.node == name) on_it.push_back(p.id());
  for (const std::string& uid : on_it) remove_pod(uid);
  std::erase_if(cluster.nodes, [&](auto& n) { return n.name == name; });
  scheduler_->node_remove(scheduler_->base.self, {name.data(), name.size()});
}

void Driver::remove_pod(const std::string& uid) {
  std::string copy = uid;
  std::erase_if(cluster.pods, [&](auto& p) { return p.id() == copy; });
  scheduler_->pod_remove(scheduler_->base.self, {copy.data(), copy.size()});
}

std::vector<Answer> Driver::schedule(const std::vector<ModelPod>& pods, uint64_t seed) {
  std::vector<std::unique_ptr<Wire>> wires;
  std::vector<const lotse_sched_pod*> raw;
  for (const ModelPod& p : pods) raw.push_back(&wires.emplace_back(std::make_unique<Wire>(p))->pod());
  Sink sink;
  sink.answers.resize(pods.size());
  lotse_sched_answers answers{};
  answers.size = sizeof answers;
  answers.ctx = &sink;
  answers.assign = [](void* ctx, size_t pod, lotse_bytes node) {
    if (Answer* a = static_cast<Sink*>(ctx)->at(pod)) a->kind = Answer::Kind::kAssign, a->node = text(node);
  };
  answers.refuse = [](void* ctx, size_t pod, const lotse_sched_reason* r, size_t count) {
    if (Answer* a = static_cast<Sink*>(ctx)->at(pod)) a->kind = Answer::Kind::kRefuse, take_reasons(a, r, count);
  };
  answers.preempt = [](void* ctx, size_t pod, lotse_bytes node, const lotse_bytes* victims, size_t n,
                       const lotse_sched_reason* r, size_t count) {
    Answer* a = static_cast<Sink*>(ctx)->at(pod);
    if (!a) return;
    a->kind = Answer::Kind::kPreempt, a->node = text(node);
    for (size_t i = 0; i < n; ++i) a->victims.push_back(text(victims[i]));
    take_reasons(a, r, count);
  };
  scheduler_->schedule(scheduler_->base.self, raw.data(), raw.size(), seed, &answers);
  return std::move(sink.answers);
}

}  // namespace lotse::check::scheduler
