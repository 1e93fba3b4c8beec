#include "model.h"

#include <algorithm>

namespace lotse::check::scheduler {
namespace {
lotse_bytes raw(const std::string& s) {
  return {s.data(), s.size()};
}
}  // namespace

template <class T>
T* Wire::keep(const std::vector<T>& items) {
  auto copy = std::make_shared<std::vector<T>>(items);
  memory_.push_back(copy);
  return copy->data();
}

const lotse_pair* Wire::pairs(const Pairs& in) {
  std::vector<lotse_pair> out;
  for (const auto& [k, v] : in) out.push_back({raw(k), raw(v)});
  return keep(out);
}

const lotse_quantity* Wire::quantities(const std::map<std::string, int64_t>& in) {
  std::vector<lotse_quantity> out;
  for (const auto& [k, v] : in) out.push_back({raw(k), v});
  return keep(out);
}

lotse_term Wire::term(const ModelTerm& in) {
  std::vector<lotse_requirement> out;
  for (const ModelRequirement& r : in.requirements) {
    std::vector<lotse_bytes> values;
    for (const std::string& v : r.values) values.push_back(raw(v));
    out.push_back({raw(r.key), r.op, r.field ? 1u : 0u, keep(values), values.size()});
  }
  return {keep(out), out.size(), in.weight, 0};
}

const lotse_term* Wire::terms(const std::vector<ModelTerm>& in) {
  std::vector<lotse_term> out;
  for (const ModelTerm& t : in) out.push_back(term(t));
  return keep(out);
}

const lotse_pod_term* Wire::pod_terms(const std::vector<ModelPodTerm>& in) {
  std::vector<lotse_pod_term> out;
  for (const ModelPodTerm& t : in) out.push_back({term(t.selector), 1, t.weight, nullptr, 0, raw(t.topology_key)});
  return keep(out);
}

Wire::Wire(const ModelNode& in) : node_model_(in) {
  const ModelNode& n = node_model_;
  node_.size = sizeof node_;
  node_.unschedulable = n.unschedulable;
  node_.name = raw(n.name);
  node_.labels = pairs(n.labels), node_.label_count = n.labels.size();
  std::vector<lotse_taint> taints;
  for (const ModelTaint& t : n.taints) taints.push_back({raw(t.key), raw(t.value), t.effect, 0});
  node_.taints = keep(taints), node_.taint_count = taints.size();
  node_.allocatable = quantities(n.allocatable), node_.allocatable_count = n.allocatable.size();
  std::vector<lotse_sched_image> images;
  for (const auto& [name, size] : n.images) images.push_back({raw(name), size});
  node_.images = keep(images), node_.image_count = images.size();
}

Wire::Wire(const ModelPod& in) : pod_model_(in), uid_(in.id()) {
  const ModelPod& p = pod_model_;
  pod_.size = sizeof pod_;
  pod_.priority = p.priority;
  pod_.uid = raw(uid_), pod_.ns = raw(p.ns), pod_.name = raw(p.name);
  pod_.node = raw(p.node), pod_.nominated = raw(p.nominated), pod_.owner_uid = raw(p.owner);
  pod_.labels = pairs(p.labels), pod_.label_count = p.labels.size();
  pod_.requests = quantities(p.requests), pod_.request_count = p.requests.size();
  pod_.node_selector = pairs(p.node_selector), pod_.node_selector_count = p.node_selector.size();
  pod_.node_required_set = p.node_required.has_value();
  if (p.node_required) pod_.node_required = terms(*p.node_required), pod_.node_required_count = p.node_required->size();
  pod_.node_preferred = terms(p.node_preferred), pod_.node_preferred_count = p.node_preferred.size();
  std::vector<lotse_toleration> tolerations;
  for (const ModelToleration& t : p.tolerations) tolerations.push_back({raw(t.key), raw(t.value), t.exists, t.effect});
  pod_.tolerations = keep(tolerations), pod_.toleration_count = tolerations.size();
  std::vector<lotse_host_port> ports;
  for (const ModelPort& port : p.ports) ports.push_back({raw(port.ip), port.port, port.protocol, {}});
  pod_.host_ports = keep(ports), pod_.host_port_count = ports.size();
  pod_.affinity = pod_terms(p.affinity), pod_.affinity_count = p.affinity.size();
  pod_.anti_affinity = pod_terms(p.anti_affinity), pod_.anti_affinity_count = p.anti_affinity.size();
  std::vector<lotse_spread> spread;
  for (const ModelSpread& s : p.spread)
    spread.push_back({raw(s.topology_key), term(s.selector), s.max_skew, s.min_domains, s.required, 1, 1, 0});
  pod_.spread = keep(spread), pod_.spread_count = spread.size();
  std::vector<lotse_bytes> images;
  for (const std::string& i : p.images) images.push_back(raw(i));
  pod_.images = keep(images), pod_.image_count = images.size();
  pod_.start_unix_ns = p.start_unix_ns;
  pod_.disruption = p.disruption, pod_.terminating = p.terminating, pod_.never_preempts = p.never_preempts;
}

}  // namespace lotse::check::scheduler
