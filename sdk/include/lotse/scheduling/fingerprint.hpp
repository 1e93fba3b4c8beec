// SPDX-License-Identifier: Apache-2.0
//
// The text that two pods share exactly when a policy may treat them alike. `local` covers what matters to one node
// alone (requests, selectors, tolerations, ports, images), `whole` everything but name, priority and place.
#pragma once
#include <string>
#include <string_view>

#include "lotse/scheduling/model.hpp"

namespace lotse::scheduling {

class Fingerprint {
 public:
  explicit Fingerprint(const lotse_sched_pod& pod) {
    numbers(pod.request_count, pod.node_selector_count, pod.node_required_count, pod.node_required_set);
    for (size_t i = 0; i < pod.request_count; ++i) text(pod.requests[i].resource), number(pod.requests[i].amount);
    for (size_t i = 0; i < pod.node_selector_count; ++i)
      text(pod.node_selector[i].key), text(pod.node_selector[i].value);
    for (size_t i = 0; i < pod.node_required_count; ++i) term(pod.node_required[i]);
    numbers(pod.node_preferred_count, pod.toleration_count, pod.host_port_count, pod.image_count);
    for (size_t i = 0; i < pod.node_preferred_count; ++i) term(pod.node_preferred[i]);
    for (size_t i = 0; i < pod.toleration_count; ++i) {
      const lotse_toleration& t = pod.tolerations[i];
      text(t.key), text(t.value), number(t.exists), number(t.effect);
    }
    for (size_t i = 0; i < pod.host_port_count; ++i) {
      const lotse_host_port& p = pod.host_ports[i];
      text(p.ip), number(p.port), number(p.protocol);
    }
    for (size_t i = 0; i < pod.image_count; ++i) text(pod.images[i]);
    local_size_ = out_.size();
    text(pod.ns), text(pod.owner_uid), number(pod.never_preempts);
    numbers(pod.label_count, pod.affinity_count, pod.anti_affinity_count, pod.spread_count);
    for (size_t i = 0; i < pod.label_count; ++i) text(pod.labels[i].key), text(pod.labels[i].value);
    for (size_t i = 0; i < pod.affinity_count; ++i) pod_term(pod.affinity[i]);
    for (size_t i = 0; i < pod.anti_affinity_count; ++i) pod_term(pod.anti_affinity[i]);
    for (size_t i = 0; i < pod.spread_count; ++i) spread(pod.spread[i]);
  }
  std::string_view local() const { return std::string_view(out_).substr(0, local_size_); }
  const std::string& whole() const { return out_; }

 private:
  void number(int64_t n) { out_.append(reinterpret_cast<const char*>(&n), sizeof n); }
  template <class... T>
  void numbers(T... n) {
    (number(static_cast<int64_t>(n)), ...);
  }
  void text(lotse_bytes b) {
    number(static_cast<int64_t>(b.size));
    out_.append(view(b));
  }
  void term(const lotse_term& t) {
    numbers(t.count, t.weight);
    for (size_t i = 0; i < t.count; ++i) {
      const lotse_requirement& r = t.requirements[i];
      text(r.key), numbers(r.op, r.field, r.value_count);
      for (size_t v = 0; v < r.value_count; ++v) text(r.values[v]);
    }
  }
  void pod_term(const lotse_pod_term& t) {
    term(t.selector), numbers(t.selector_set, t.weight, t.namespace_count), text(t.topology_key);
    for (size_t i = 0; i < t.namespace_count; ++i) text(t.namespaces[i]);
  }
  void spread(const lotse_spread& s) {
    text(s.topology_key), term(s.selector);
    numbers(s.max_skew, s.min_domains, s.required, s.selector_set, s.honor_affinity, s.honor_taints);
  }

  std::string out_;
  size_t local_size_ = 0;
};

}  // namespace lotse::scheduling
