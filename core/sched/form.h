// PodForm and NodeForm: pods and nodes in the ABI's plain structs. Made once for each version of an object that is of
// interest to a policy; the structs point into the form, which neither moves nor changes.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/object/object.h"
#include "core/object/selector.h"
#include "lotse/abi/scheduler.h"

namespace lotse::sched {

// The namespaces that a namespaceSelector selects.
using SelectNamespaces = std::function<std::vector<std::string>(const LabelSelector&)>;

class PodForm {
 public:
  PodForm(ObjectPtr pod, const SelectNamespaces& namespaces);
  PodForm(const PodForm&) = delete;
  // As if it were on that node: assumed, or its room kept there.
  lotse_sched_pod on(const std::string& node) const;
  const lotse_sched_pod& raw() const { return raw_; }
  const ObjectPtr& object() const { return object_; }
  const json::Value& value() const { return value_; }
  int32_t priority() const { return raw_.priority; }
  std::string_view scheduler() const { return value_["spec"]["schedulerName"].str("default-scheduler"); }
  std::string_view nominated() const { return value_["status"]["nominatedNodeName"].str(); }
  bool gated() const { return !value_["spec"]["schedulingGates"].empty(); }
  // Placing other pods may make room for this one: it has affinity to others or is to be spread among them.
  bool looks_at_pods() const { return raw_.affinity_count + raw_.anti_affinity_count + raw_.spread_count > 0; }
  bool selects_namespaces() const { return selects_namespaces_; }

 private:
  template <class T>
  const T* keep(std::vector<T> items);
  lotse_bytes keep_text(std::string text);
  const lotse_pair* pairs(const json::Value& map, size_t* count);
  lotse_term requirements(const json::Value& label_selector, const json::Value& match_label_keys);
  lotse_term node_term(const json::Value& term, int32_t weight);
  void read_requests();
  void read_node_affinity(const json::Value& affinity);
  void read_tolerations();
  void read_containers();
  const lotse_pod_term* pod_terms(const json::Value& affinity, const SelectNamespaces& namespaces, size_t* count);
  lotse_pod_term pod_term(const json::Value& term, int32_t weight, const SelectNamespaces& namespaces);
  void read_spread();

  const ObjectPtr object_;
  const json::Value value_;
  std::vector<std::shared_ptr<void>> memory_;
  lotse_sched_pod raw_{};
  bool selects_namespaces_ = false;
};

class NodeForm {
 public:
  explicit NodeForm(const Object& node);
  NodeForm(const NodeForm&) = delete;
  const lotse_sched_node& raw() const { return raw_; }

 private:
  const json::Value value_;
  std::vector<lotse_pair> labels_;
  std::vector<lotse_taint> taints_;
  std::vector<lotse_quantity> allocatable_;
  std::vector<lotse_sched_image> images_;
  lotse_sched_node raw_{};
};

// Whether a policy has to be told of the change: heartbeats and most of a status are nothing to it.
bool node_matters(const Object& before, const Object& after);
bool pod_matters(const Object& before, const Object& after);
bool finished(const Object& pod);  // takes no room any more

}  // namespace lotse::sched
