#include "rule.h"

#include <algorithm>
#include <cmath>

namespace lotse::check::scheduler {
namespace {

int64_t of(const std::map<std::string, int64_t>& amounts, const std::string& resource) {
  auto it = amounts.find(resource);
  return it == amounts.end() ? 0 : it->second;
}

// What is asked for; a pod that asks for nothing counts as 100 millicores and 200 MiB where `assumed`.
int64_t asked(const ModelPod& p, const std::string& resource, bool assumed) {
  const int64_t amount = of(p.requests, resource);
  if (amount > 0 || !assumed) return amount;
  return resource == "cpu" ? 100 : 200 << 20;
}

int64_t taken(const ModelCluster& c, const ModelPod& p, const ModelNode& n, const std::string& resource, bool assumed) {
  int64_t sum = asked(p, resource, assumed);
  for (const ModelPod& other : c.pods)
    if (other.node == n.name && other.id() != p.id()) sum += asked(other, resource, assumed);
  return sum;
}

// The mean share of cpu and memory, in hundredths, that is taken or left once the pod is there.
int64_t share(const ModelCluster& c, const ModelPod& p, const ModelNode& n, bool left) {
  int64_t sum = 0;
  for (const char* resource : {"cpu", "memory"}) {
    const int64_t capacity = of(n.allocatable, resource), used = taken(c, p, n, resource, true);
    if (used <= capacity) sum += (left ? capacity - used : used) * 100 / capacity;
  }
  return sum / 2;
}

int64_t likeness(const ModelCluster& c, const ModelPod& p, const ModelNode& n) {
  double shares[2];
  for (int i : {0, 1}) {
    const char* resource = i ? "memory" : "cpu";
    shares[i] = std::min(1.0, static_cast<double>(taken(c, p, n, resource, false)) /
                                  static_cast<double>(of(n.allocatable, resource)));
  }
  return static_cast<int64_t>((1.0 - std::abs(shares[0] - shares[1]) / 2) * 100);
}

std::string zone(const ModelNode* n) {
  if (n)
    for (const auto& [key, value] : n->labels)
      if (key == "topology.kubernetes.io/zone") return value;
  return "";
}

bool has_labels(const ModelPod& p, const Pairs& labels) {
  return std::all_of(labels.begin(), labels.end(),
                     [&](const auto& l) { return std::find(p.labels.begin(), p.labels.end(), l) != p.labels.end(); });
}

// The less the better, the first number before the others.
std::vector<int64_t> badness(const std::string& rule, const ModelCluster& c, const ModelPod& p, const ModelNode& n) {
  if (rule == "fullest") return {-share(c, p, n, false)};
  if (rule == "balanced") return {-share(c, p, n, true) - likeness(c, p, n)};
  std::vector<int64_t> out(4);
  for (const ModelPod& other : c.pods) {
    if (other.terminating || other.id() == p.id()) continue;
    const bool here = other.node == n.name, near = zone(c.node(other.node)) == zone(&n);
    if (!p.owner.empty() && other.owner == p.owner) out[0] += near, out[1] += here;
    if (!p.labels.empty() && other.ns == p.ns && has_labels(other, p.labels)) out[2] += near, out[3] += here;
  }
  out.push_back(-share(c, p, n, true));
  return out;
}

}  // namespace

bool knows_rule(const std::string& rule) { return rule == "fullest" || rule == "balanced" || rule == "even"; }

ModelNode plain(ModelNode node) {
  node.images.clear();
  std::erase_if(node.taints, [](const ModelTaint& t) { return t.effect == LOTSE_PREFER_NO_SCHEDULE; });
  return node;
}

ModelPod plain(ModelPod pod, const std::string& rule) {
  pod.affinity.clear(), pod.anti_affinity.clear(), pod.node_preferred.clear(), pod.images.clear();
  std::erase_if(pod.spread, [](const ModelSpread& s) { return !s.required; });
  if (rule == "balanced") pod.owner.clear();
  return pod;
}

std::vector<std::string> first_by(const std::string& rule, const ModelCluster& cluster, const ModelPod& pod) {
  std::vector<std::string> first;
  std::vector<int64_t> least;
  for (const ModelNode& n : cluster.nodes) {
    if (!unfit(cluster, pod, n).empty()) continue;
    std::vector<int64_t> here = badness(rule, cluster, pod, n);
    if (!first.empty() && here > least) continue;
    if (first.empty() || here < least) first.clear(), least = here;
    first.push_back(n.name);
  }
  return first;
}

}  // namespace lotse::check::scheduler
