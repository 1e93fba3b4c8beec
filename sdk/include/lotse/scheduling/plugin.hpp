// SPDX-License-Identifier: Apache-2.0
//
// PolicyPlugin: a Policy as the instance of a scheduler plugin. Derive it, hand it a profile, and it is whole.
#pragma once
#include "lotse/abi/scheduler_claim.h"
#include "lotse/scheduler.hpp"
#include "lotse/scheduling/policy.hpp"

namespace lotse::scheduling {

class PolicyPlugin : public sdk::Scheduler {
 public:
  PolicyPlugin(const sdk::Host& host, Profile profile)
      : sdk::Scheduler(host), claim_{sizeof claim_, 0, profile.claim}, policy_(std::move(profile)) {}
  const void* extension(std::string_view id) override {
    return id == LOTSE_SCHEDULER_CLAIM && claim_.rule ? &claim_ : nullptr;
  }
  void node_set(const lotse_sched_node& node) override { policy_.node_set(node); }
  void node_remove(std::string_view name) override { policy_.node_remove(bytes(name)); }
  void pod_set(const lotse_sched_pod& pod) override { policy_.pod_set(pod); }
  void pod_remove(std::string_view uid) override { policy_.pod_remove(bytes(uid)); }
  void schedule(const lotse_sched_pod* const* pods, size_t count, uint64_t seed, sdk::Answers* answers) override {
    lotse_sched_answers raw{sizeof raw, 0, answers, assign, refuse, preempt};
    policy_.schedule(pods, count, seed, raw);
  }

 private:
  static void assign(void* ctx, size_t pod, lotse_bytes node) {
    static_cast<sdk::Answers*>(ctx)->assign(pod, view(node));
  }
  static void refuse(void* ctx, size_t pod, const lotse_sched_reason* reasons, size_t count) {
    static_cast<sdk::Answers*>(ctx)->refuse(pod, {reasons, reasons + count});
  }
  static void preempt(void* ctx, size_t pod, lotse_bytes node, const lotse_bytes* victims, size_t victim_count,
                      const lotse_sched_reason* reasons, size_t count) {
    static_cast<sdk::Answers*>(ctx)->preempt(pod, view(node), {victims, victims + victim_count},
                                             {reasons, reasons + count});
  }
  lotse_scheduler_claim claim_;
  Policy policy_;
};

}  // namespace lotse::scheduling
