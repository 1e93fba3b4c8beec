// SPDX-License-Identifier: Apache-2.0
//
// Filters that look at one node alone: may pods of this shape run there, and if not, why. Their answers are remembered
// per shape until the node changes. Names and reasons are those of Kubernetes' scheduler plugins.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "lotse/scheduling/snapshot.hpp"

namespace lotse::scheduling {

struct Refusal {
  std::vector<std::string> reasons;  // none: the node is fit
  bool resolvable = false;           // preempting other pods might help
  bool fit() const { return reasons.empty(); }
};

using NodeFilter = std::function<Refusal(const Shape&, const Node&, const Snapshot&)>;

inline Refusal node_unschedulable(const Shape& shape, const Node& node, const Snapshot&) {
  static const Taint kTaint{"node.kubernetes.io/unschedulable", "", LOTSE_NO_SCHEDULE};
  if (!node.unschedulable || tolerates(shape.tolerations, kTaint)) return {};
  return {{"node(s) were unschedulable"}, false};
}

inline const Taint* untolerated_taint(const Shape& shape, const Node& node) {
  for (const Taint& t : node.taints)
    if (t.effect != LOTSE_PREFER_NO_SCHEDULE && !tolerates(shape.tolerations, t)) return &t;
  return nullptr;
}

inline Refusal taint_toleration(const Shape& shape, const Node& node, const Snapshot&) {
  const Taint* t = untolerated_taint(shape, node);
  if (!t) return {};
  return {{"node(s) had untolerated taint {" + t->key + ": " + t->value + "}"}, false};
}

inline bool matches_node(const Selector& selector, const Node& node) {
  if (selector.requirements.empty()) return false;
  for (const Requirement& r : selector.requirements) {
    if (r.field ? !(r.key == "metadata.name" && r.holds(&node.name)) : !r.holds(label(node.labels, r.key)))
      return false;
  }
  return true;
}

inline bool matches_node_affinity(const Shape& shape, const Node& node) {
  for (const auto& [key, value] : shape.node_selector) {
    const std::string* have = label(node.labels, key);
    if (!have || *have != value) return false;
  }
  if (!shape.node_required_set) return true;
  return std::any_of(shape.node_required.begin(), shape.node_required.end(),
                     [&](const NodeTerm& t) { return matches_node(t.selector, node); });
}

inline Refusal node_affinity(const Shape& shape, const Node& node, const Snapshot&) {
  if (matches_node_affinity(shape, node)) return {};
  return {{"node(s) didn't match Pod's node affinity/selector"}, false};
}

inline Refusal node_ports(const Shape& shape, const Node& node, const Snapshot&) {
  for (const HostPort& want : shape.host_ports)
    for (const HostPort& used : node.ports)
      if (want.clashes(used)) return {{"node(s) didn't have free ports for the requested pod ports"}, true};
  return {};
}

inline Refusal node_resources_fit(const Shape& shape, const Node& node, const Snapshot& snapshot) {
  Refusal out;
  out.resolvable = true;
  if (node.requested_of(kPods) + 1 > node.allocatable_of(kPods)) out.reasons.push_back("Too many pods");
  for (const Amount& a : shape.requests) {
    int64_t room = node.allocatable_of(a.resource);
    if (a.amount <= room - node.requested_of(a.resource)) continue;
    out.reasons.push_back("Insufficient " + snapshot.resource_name(a.resource));
    if (a.amount > room) out.resolvable = false;  // not even an empty node has it
  }
  return out;
}

}  // namespace lotse::scheduling
