#include "core/sched/policy.h"

#include <algorithm>

#include "core/plugin/shield.h"

namespace lotse::sched {
namespace {
std::string text(lotse_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}

struct Sink {
  const std::vector<std::shared_ptr<const PodForm>>& pods;
  std::vector<Answer> answers;
  Answer* first(size_t pod) {
    return pod < answers.size() && answers[pod].kind == Answer::Kind::kNone ? &answers[pod] : nullptr;
  }
  void explain(size_t pod, Answer* a, const lotse_sched_reason* reasons, size_t count) {
    std::vector<NodeReason> list;
    list.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      list.push_back({text(reasons[i].node), text(reasons[i].reason), reasons[i].resolvable != 0});
      a->resolvable = a->resolvable || reasons[i].resolvable;
    }
    a->message = fit_message(list, pods[pod]->raw().never_preempts != 0);
  }
};
}  // namespace

std::vector<Answer> ask(const lotse_scheduler& policy, const std::vector<std::shared_ptr<const PodForm>>& pods,
                        uint64_t seed) {
  Sink sink{pods, std::vector<Answer>(pods.size())};
  std::vector<const lotse_sched_pod*> raw;
  for (const auto& p : pods) raw.push_back(&p->raw());
  lotse_sched_answers answers{};
  answers.size = sizeof answers;
  answers.ctx = &sink;
  answers.assign = [](void* ctx, size_t pod, lotse_bytes node) {
    if (Answer* a = static_cast<Sink*>(ctx)->first(pod)) a->kind = Answer::Kind::kAssign, a->node = text(node);
  };
  answers.refuse = [](void* ctx, size_t pod, const lotse_sched_reason* reasons, size_t count) {
    Sink* s = static_cast<Sink*>(ctx);
    if (Answer* a = s->first(pod)) a->kind = Answer::Kind::kRefuse, s->explain(pod, a, reasons, count);
  };
  answers.preempt = [](void* ctx, size_t pod, lotse_bytes node, const lotse_bytes* victims, size_t victim_count,
                       const lotse_sched_reason* reasons, size_t count) {
    Sink* s = static_cast<Sink*>(ctx);
    Answer* a = s->first(pod);
    if (!a) return;
    a->kind = Answer::Kind::kPreempt, a->node = text(node);
    for (size_t i = 0; i < victim_count; ++i) a->victims.push_back(text(victims[i]));
    s->explain(pod, a, reasons, count);
  };
  plugin::shielded_quietly("schedule",
                           [&] { policy.schedule(policy.base.self, raw.data(), raw.size(), seed, &answers); });
  for (Answer& a : sink.answers)
    if (a.kind == Answer::Kind::kNone)
      a.kind = Answer::Kind::kRefuse, a.message = "the scheduler policy gave no answer";
  return std::move(sink.answers);
}

}  // namespace lotse::sched
