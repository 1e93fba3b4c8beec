// SPDX-License-Identifier: Apache-2.0
//
// Scheduler: derive it; abi/scheduler.h has the structs, which are passed on as they are (this is a hot path). Calls
// come one at a time [worker].
#pragma once
#include <vector>

#include "lotse/abi/scheduler.h"
#include "lotse/plugin.hpp"

namespace lotse::sdk {

// Where the answers go. Each pod is answered once; what comes after the first answer is ignored.
class Answers {
 public:
  Answers(const lotse_sched_answers* raw, size_t count) : raw_(raw), given_(count) {}
  void assign(size_t pod, std::string_view node) {
    if (first(pod)) raw_->assign(raw_->ctx, pod, bytes(node));
  }
  void refuse(size_t pod, const std::vector<lotse_sched_reason>& reasons) {
    if (first(pod)) raw_->refuse(raw_->ctx, pod, reasons.data(), reasons.size());
  }
  void preempt(size_t pod, std::string_view node, const std::vector<lotse_bytes>& victims,
               const std::vector<lotse_sched_reason>& reasons) {
    if (!first(pod)) return;
    raw_->preempt(raw_->ctx, pod, bytes(node), victims.data(), victims.size(), reasons.data(), reasons.size());
  }
  // Refuses all pods that were left without an answer.
  void refuse_rest(std::string_view sentence) {
    lotse_sched_reason reason{{nullptr, 0}, bytes(sentence), 0, 0};
    for (size_t pod = 0; pod < given_.size(); pod++) {
      if (first(pod)) raw_->refuse(raw_->ctx, pod, &reason, 1);
    }
  }

 private:
  bool first(size_t pod) {
    if (pod >= given_.size() || given_[pod]) return false;
    given_[pod] = true;
    return true;
  }
  const lotse_sched_answers* raw_;
  std::vector<bool> given_;
};

class Scheduler : public Instance {
 public:
  explicit Scheduler(const Host& host) : Instance(host) {
    c_.base = base_of(sizeof c_);
    c_.node_set = [](void* self, const lotse_sched_node* node) {
      run(self, "node_set", [&](auto* s) { s->node_set(*node); });
    };
    c_.node_remove = [](void* self, lotse_bytes name) {
      run(self, "node_remove", [&](auto* s) { s->node_remove(view(name)); });
    };
    c_.pod_set = [](void* self, const lotse_sched_pod* pod) {
      run(self, "pod_set", [&](auto* s) { s->pod_set(*pod); });
    };
    c_.pod_remove = [](void* self, lotse_bytes uid) {
      run(self, "pod_remove", [&](auto* s) { s->pod_remove(view(uid)); });
    };
    c_.schedule = [](void* self, const lotse_sched_pod* const* pods, size_t count, uint64_t seed,
                     const lotse_sched_answers* raw) {
      run(self, "schedule", [&](Scheduler* s) {
        Answers answers(raw, count);
        std::string why = "the scheduler policy gave no answer";
        try {
          s->schedule(pods, count, seed, &answers);
        } catch (...) {
          why = caught("schedule").sentence;
          s->host().error("exception", why);
        }
        answers.refuse_rest(why);
      });
    };
  }
  const lotse_instance* c_instance() override { return &c_.base; }

  virtual void node_set(const lotse_sched_node& node) = 0;
  virtual void node_remove(std::string_view name) = 0;
  virtual void pod_set(const lotse_sched_pod& pod) = 0;
  virtual void pod_remove(std::string_view uid) = 0;
  virtual void schedule(const lotse_sched_pod* const* pods, size_t count, uint64_t seed, Answers* answers) = 0;

 private:
  template <class Fn>
  static void run(void* self, const char* where, const Fn& fn) {
    auto* scheduler = as<Scheduler>(self);
    scheduler->host().protect([&] { fn(scheduler); }, where);
  }
  lotse_scheduler c_{};
};

}  // namespace lotse::sdk
