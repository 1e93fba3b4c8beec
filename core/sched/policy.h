// Calling a policy: a batch of pods in, plain answers out. Runs on the worker thread that all policies share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/sched/form.h"
#include "core/sched/message.h"

namespace lotse::sched {

struct Answer {
  enum class Kind : uint8_t { kNone, kAssign, kRefuse, kPreempt } kind = Kind::kNone;
  std::string node;
  std::vector<std::string> victims;  // uids
  std::string message;               // of what is refused or preempts
  bool resolvable = false;           // on some node it is other pods that are in the way
};

// [worker] One answer a pod. A policy that answers twice or not at all is held to the first, or to a refusal.
std::vector<Answer> ask(const lotse_scheduler& policy, const std::vector<std::shared_ptr<const PodForm>>& pods,
                        uint64_t seed);

}  // namespace lotse::sched
