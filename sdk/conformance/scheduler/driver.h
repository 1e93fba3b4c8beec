// Drives a scheduler instance through the ABI and keeps the model of the cluster beside it.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reference.h"

namespace lotse::check::scheduler {

struct Answer {
  enum class Kind : uint8_t { kNone, kAssign, kRefuse, kPreempt } kind = Kind::kNone;
  std::string node;
  std::vector<std::string> victims;
  std::map<std::string, std::vector<std::string>> reasons;  // by node
  int times = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

class Driver {
 public:
  explicit Driver(const lotse_scheduler* s) : scheduler_(s) {}
  ~Driver() { scheduler_->base.destroy(scheduler_->base.self); }
  Driver(const Driver&) = delete;

  void set(const ModelNode& node);
  void set(const ModelPod& pod);  // pod.node says where
  void remove_node(const std::string& name);
  void remove_pod(const std::string& uid);
  // Assigned pods are put into the model.
  std::vector<Answer> schedule(const std::vector<ModelPod>& pods, uint64_t seed);
  ModelCluster cluster;
  std::string claim() const;  // the rule that the policy says it chooses by; empty: it says none

 private:
  const lotse_scheduler* scheduler_;
};

}  // namespace lotse::check::scheduler
