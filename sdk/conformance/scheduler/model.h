// Nodes and pods as values, easy to write down in a test, and their form in the ABI. A Wire keeps the memory that the
// borrowed structs point into.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lotse/abi/scheduler.h"

namespace lotse::check::scheduler {

using Pairs = std::vector<std::pair<std::string, std::string>>;
struct ModelRequirement {
  std::string key;
  uint32_t op = LOTSE_OP_IN;
  std::vector<std::string> values;
  bool field = false;
};
struct ModelTerm {
  std::vector<ModelRequirement> requirements;
  int32_t weight = 0;
};
struct ModelPodTerm {
  ModelTerm selector;
  std::string topology_key;
  int32_t weight = 0;
};
struct ModelSpread {
  ModelTerm selector;
  std::string topology_key;
  int32_t max_skew = 1, min_domains = 0;
  bool required = true;
};
struct ModelTaint {
  std::string key, value;
  uint32_t effect = LOTSE_NO_SCHEDULE;
};
struct ModelToleration {
  std::string key, value;
  bool exists = false;
  uint32_t effect = 0;
};
struct ModelPort {
  std::string ip;
  uint16_t port = 0;
  uint8_t protocol = 6;
};

struct ModelNode {
  std::string name;
  Pairs labels;
  std::map<std::string, int64_t> allocatable{{"cpu", 4000}, {"memory", 8ll << 30}, {"pods", 110}};
  std::vector<ModelTaint> taints;
  std::vector<std::pair<std::string, int64_t>> images;
  bool unschedulable = false;
};

struct ModelPod {
  std::string name, ns = "default", uid, node, nominated, owner;
  int32_t priority = 0;
  Pairs labels, node_selector;
  std::map<std::string, int64_t> requests;
  std::optional<std::vector<ModelTerm>> node_required;
  std::vector<ModelTerm> node_preferred;
  std::vector<ModelToleration> tolerations;
  std::vector<ModelPort> ports;
  std::vector<ModelPodTerm> affinity, anti_affinity;
  std::vector<ModelSpread> spread;
  std::vector<std::string> images;
  int64_t start_unix_ns = 0;
  bool disruption = false, terminating = false, never_preempts = false;
  std::string id() const { return uid.empty() ? name : uid; }
};

class Wire {
 public:
  explicit Wire(const ModelNode& n);
  explicit Wire(const ModelPod& p);
  Wire(const Wire&) = delete;
  const lotse_sched_node& node() const { return node_; }
  const lotse_sched_pod& pod() const { return pod_; }

 private:
  template <class T>
  T* keep(const std::vector<T>& items);
  const lotse_pair* pairs(const Pairs& in);
  const lotse_quantity* quantities(const std::map<std::string, int64_t>& in);
  lotse_term term(const ModelTerm& in);
  const lotse_term* terms(const std::vector<ModelTerm>& in);
  const lotse_pod_term* pod_terms(const std::vector<ModelPodTerm>& in);

  std::deque<std::shared_ptr<void>> memory_;
  ModelNode node_model_;
  ModelPod pod_model_;
  std::string uid_;
  lotse_sched_node node_{};
  lotse_sched_pod pod_{};
};

}  // namespace lotse::check::scheduler
