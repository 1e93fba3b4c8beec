#include "reference.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <set>

namespace lotse::check::scheduler {
namespace {
const std::string* label(const Pairs& labels, const std::string& key) {
  for (const auto& [k, v] : labels)
    if (k == key) return &v;
  return nullptr;
}

bool holds(const ModelRequirement& r, const std::string* value) {
  bool in = value && std::count(r.values.begin(), r.values.end(), *value) > 0;
  switch (r.op) {
    case LOTSE_OP_IN:
      return in;
    case LOTSE_OP_NOT_IN:
      return !in;
    case LOTSE_OP_EXISTS:
      return value;
    case LOTSE_OP_DOES_NOT_EXIST:
      return !value;
    case LOTSE_OP_GT:
      return value && std::atoll(value->c_str()) > std::atoll(r.values[0].c_str());
    case LOTSE_OP_LT:
      return value && std::atoll(value->c_str()) < std::atoll(r.values[0].c_str());
  }
  return false;
}

bool selects(const ModelTerm& t, const Pairs& labels) {
  return std::all_of(t.requirements.begin(), t.requirements.end(),
                     [&](auto& r) { return holds(r, label(labels, r.key)); });
}

bool selects_node(const ModelTerm& t, const ModelNode& n) {
  if (t.requirements.empty()) return false;
  return std::all_of(t.requirements.begin(), t.requirements.end(),
                     [&](auto& r) { return holds(r, r.field ? &n.name : label(n.labels, r.key)); });
}

bool affinity_ok(const ModelPod& p, const ModelNode& n) {
  for (const auto& [k, v] : p.node_selector)
    if (const std::string* have = label(n.labels, k); !have || *have != v) return false;
  if (!p.node_required) return true;
  return std::any_of(p.node_required->begin(), p.node_required->end(), [&](auto& t) { return selects_node(t, n); });
}

bool tolerated(const ModelPod& p, const ModelTaint& taint) {
  for (const ModelToleration& t : p.tolerations) {
    if (t.effect && t.effect != taint.effect) continue;
    if (t.key.empty() ? t.exists : t.key == taint.key && (t.exists || t.value == taint.value)) return true;
  }
  return false;
}

std::string resources(const ModelCluster& c, const ModelPod& p, const ModelNode& n) {
  std::map<std::string, int64_t> used;
  for (const ModelPod& other : c.pods) {
    if (other.node != n.name || other.id() == p.id()) continue;
    ++used["pods"];
    for (const auto& [r, a] : other.requests)
      if (r != "pods") used[r] += a;
  }
  auto wanted = p.requests;
  wanted["pods"] = 1;
  for (const auto& [r, a] : wanted) {
    auto it = n.allocatable.find(r);
    if (a > 0 && used[r] + a > (it == n.allocatable.end() ? 0 : it->second)) return "not enough " + r;
  }
  return "";
}

bool same_domain(const ModelCluster& c, const std::string& node, const ModelNode& n, const std::string& key) {
  const ModelNode* other = c.node(node);
  const std::string* a = other ? label(other->labels, key) : nullptr;
  const std::string* b = label(n.labels, key);
  return a && b && *a == *b;
}

std::string pod_affinity(const ModelCluster& c, const ModelPod& p, const ModelNode& n) {
  bool all_self = true, any_anywhere = false;
  for (const ModelPodTerm& t : p.affinity) {
    if (t.weight) continue;
    all_self = all_self && selects(t.selector, p.labels);
    for (const ModelPod& o : c.pods)
      if (o.id() != p.id() && o.ns == p.ns && selects(t.selector, o.labels) && c.node(o.node) &&
          label(c.node(o.node)->labels, t.topology_key))
        any_anywhere = true;
  }
  for (const ModelPodTerm& t : p.affinity) {
    if (t.weight) continue;
    if (!label(n.labels, t.topology_key)) return "no label for pod affinity";
    if (all_self && !any_anywhere) continue;
    if (std::none_of(c.pods.begin(), c.pods.end(), [&](auto& o) {
          return o.id() != p.id() && o.ns == p.ns && selects(t.selector, o.labels) &&
                 same_domain(c, o.node, n, t.topology_key);
        }))
      return "pod affinity";
  }
  for (const ModelPod& o : c.pods) {
    if (o.id() == p.id() || o.ns != p.ns) continue;
    for (const ModelPodTerm& t : p.anti_affinity)
      if (!t.weight && selects(t.selector, o.labels) && same_domain(c, o.node, n, t.topology_key))
        return "pod anti-affinity";
    for (const ModelPodTerm& t : o.anti_affinity)
      if (!t.weight && selects(t.selector, p.labels) && same_domain(c, o.node, n, t.topology_key))
        return "anti-affinity of another pod";
  }
  return "";
}

std::string spread(const ModelCluster& c, const ModelPod& p, const ModelNode& n) {
  for (const ModelSpread& s : p.spread) {
    if (!s.required) continue;
    const std::string* mine = label(n.labels, s.topology_key);
    if (!mine) return "no label for topology spread";
    std::map<std::string, int64_t> count;
    for (const ModelNode& o : c.nodes) {
      bool all_keys = std::all_of(p.spread.begin(), p.spread.end(),
                                  [&](auto& other) { return !other.required || label(o.labels, other.topology_key); });
      if (!affinity_ok(p, o) || !all_keys) continue;
      int64_t& sum = count[*label(o.labels, s.topology_key)];
      for (const ModelPod& other : c.pods)
        if (other.node == o.name && other.id() != p.id() && other.ns == p.ns && !other.terminating &&
            selects(s.selector, other.labels))
          ++sum;
    }
    int64_t least = count.empty() ? 0 : INT64_MAX;
    for (const auto& [d, k] : count) least = std::min(least, k);
    if (static_cast<int32_t>(count.size()) < s.min_domains) least = 0;
    if (count[*mine] + (selects(s.selector, p.labels) ? 1 : 0) - least > s.max_skew) return "topology spread";
  }
  return "";
}
}  // namespace

const ModelNode* ModelCluster::node(const std::string& name) const {
  auto it = std::find_if(nodes.begin(), nodes.end(), [&](auto& n) { return n.name == name; });
  return it == nodes.end() ? nullptr : &*it;
}

const ModelPod* ModelCluster::pod(const std::string& uid) const {
  auto it = std::find_if(pods.begin(), pods.end(), [&](auto& p) { return p.id() == uid; });
  return it == pods.end() ? nullptr : &*it;
}

std::string unfit(const ModelCluster& c, const ModelPod& p, const ModelNode& n) {
  if (!p.node.empty() && p.node != n.name) return "another node is named";
  if (n.unschedulable && !tolerated(p, {"node.kubernetes.io/unschedulable", "", LOTSE_NO_SCHEDULE}))
    return "unschedulable";
  for (const ModelTaint& t : n.taints)
    if (t.effect != LOTSE_PREFER_NO_SCHEDULE && !tolerated(p, t)) return "taint " + t.key;
  if (!affinity_ok(p, n)) return "node affinity";
  for (const ModelPod& o : c.pods)
    if (o.node == n.name && o.id() != p.id())
      for (const ModelPort& a : p.ports)
        for (const ModelPort& b : o.ports)
          if (a.port == b.port && a.protocol == b.protocol && (a.ip.empty() || b.ip.empty() || a.ip == b.ip))
            return "port";
  if (std::string why = resources(c, p, n); !why.empty()) return why;
  if (std::string why = spread(c, p, n); !why.empty()) return why;
  return pod_affinity(c, p, n);
}

uint64_t Dice::roll(uint64_t sides) {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return (state_ >> 33) % sides;
}

ModelNode random_node(Dice& dice, int number) {
  ModelNode n;
  n.name = "node-" + std::to_string(number);
  n.labels = {{"kubernetes.io/hostname", n.name}};
  if (!dice.one_in(6)) n.labels.push_back({"topology.kubernetes.io/zone", "zone-" + std::to_string(dice.roll(3))});
  if (dice.one_in(2)) n.labels.push_back({"disk", dice.one_in(2) ? "ssd" : "hdd"});
  n.labels.push_back({"cores", std::to_string(1 + dice.roll(8))});
  n.allocatable = {{"cpu", 1000 + 500 * static_cast<int64_t>(dice.roll(4))},
                   {"memory", (1 + static_cast<int64_t>(dice.roll(4))) << 30},
                   {"pods", 3 + static_cast<int64_t>(dice.roll(8))}};
  if (dice.one_in(4)) n.allocatable["example.com/gpu"] = 2;
  if (dice.one_in(5)) n.taints.push_back({"dedicated", dice.one_in(2) ? "db" : "web", LOTSE_NO_SCHEDULE});
  if (dice.one_in(8)) n.taints.push_back({"slow", "", LOTSE_PREFER_NO_SCHEDULE});
  if (dice.one_in(12)) n.taints.push_back({"node.kubernetes.io/unreachable", "", LOTSE_NO_EXECUTE});
  n.unschedulable = dice.one_in(15);
  return n;
}

ModelPod random_pod(Dice& dice, int number) {
  // As strings: g++ 12 is wrong about literals in braces here.
  const std::string kZone = "topology.kubernetes.io/zone", kHostname = "kubernetes.io/hostname";
  ModelPod p;
  const std::string app = std::string(1, static_cast<char>('a' + dice.roll(4)));
  p.name = "pod-" + std::to_string(number);
  p.ns = dice.one_in(4) ? "other" : "default";
  p.owner = dice.one_in(3) ? "" : "owner-" + app;
  p.labels = {{"app", app}};
  p.priority = static_cast<int32_t>(dice.roll(4)) * 10;
  p.start_unix_ns = number;
  if (!dice.one_in(6))
    p.requests = {{"cpu", 100 * static_cast<int64_t>(dice.roll(6))},
                  {"memory", static_cast<int64_t>(dice.roll(4)) << 28}};
  if (dice.one_in(10)) p.requests["example.com/gpu"] = 1;
  if (dice.one_in(8)) p.node_selector = {{"disk", "ssd"}};
  if (dice.one_in(8))
    p.node_required = {{{{{"cores", LOTSE_OP_GT, {"3"}, false}}, 0},
                        {{{"metadata.name", LOTSE_OP_IN, {"node-1", "node-2"}, true}}, 0}}};
  if (dice.one_in(4)) p.tolerations.push_back({"dedicated", "db", false, 0});
  if (dice.one_in(20)) p.tolerations.push_back({"", "", true, 0});
  if (dice.one_in(10)) p.ports.push_back({"", static_cast<uint16_t>(80 + dice.roll(2)), 6});
  ModelTerm own{{{"app", LOTSE_OP_IN, {app}, false}}, 0};
  ModelTerm any{{{"app", LOTSE_OP_IN, {"a", "b"}, false}}, 0};
  if (dice.one_in(8))
    p.spread.push_back({own, kZone, 1 + static_cast<int32_t>(dice.roll(2)),
                        static_cast<int32_t>(dice.roll(3)), !dice.one_in(3)});
  if (dice.one_in(12))
    p.spread.push_back({any, kHostname, 1 + static_cast<int32_t>(dice.roll(2)), 0, true});
  if (dice.one_in(8))
    p.anti_affinity.push_back(
        {own, dice.one_in(2) ? kHostname : kZone, dice.one_in(2) ? 0 : 50});
  if (dice.one_in(10))
    p.affinity.push_back({dice.one_in(2) ? own : any, kZone, dice.one_in(2) ? 0 : 20});
  p.disruption = dice.one_in(6);
  p.never_preempts = dice.one_in(10);
  return p;
}

}  // namespace lotse::check::scheduler
