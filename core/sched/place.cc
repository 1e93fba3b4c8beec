// Batches to the policy, and what becomes of its answers.
#include <algorithm>

#include "core/sched/state.h"

namespace lotse::sched {

// One batch at a time is with the worker; the next is taken when its answers are here, so that each sees what the one
// before it took. Bindings go on meanwhile.
void Scheduler::State::pump() {
  if (stopped || asking || writes_in_flight + writes.size() >= settings.writes_in_flight_max * 4) return wait();
  const SteadyTime now = loop.clock().steady();
  const std::string name = queue.first_scheduler(now);
  auto slot = std::find_if(policies->begin(), policies->end(), [&](const PolicySlot& p) {
    return std::find(p.scheduler_names.begin(), p.scheduler_names.end(), name) != p.scheduler_names.end();
  });
  if (slot == policies->end()) return wait();
  std::vector<WaitingPtr> batch = queue.take(settings.batch_max, now, name);
  if (batch.empty()) return wait();
  std::vector<std::shared_ptr<const PodForm>> forms;
  for (const WaitingPtr& w : batch) forms.push_back(w->form);
  asking = true;
  flush();
  worker.post([self = shared_from_this(), policy = slot->policy, batch = std::move(batch), forms = std::move(forms),
               seed = settings.seed + batches++]() mutable {
    std::vector<Answer> answers = ask(*policy, forms, seed);
    Loop& loop = self->loop;
    loop.post([self = std::move(self), policy, batch = std::move(batch), forms = std::move(forms),
               answers = std::move(answers)]() mutable {
      self->asking = false;
      if (!self->stopped) self->on_answers(policy, std::move(batch), std::move(forms), std::move(answers));
    });
  });
}

void Scheduler::State::wait() {
  if (stopped || asking) return;
  auto due = queue.next_due();
  if (due == waiting_for && timer) return;
  timer.reset();
  waiting_for = due;
  // An active pod that is not taken waits for answers to come in, not for time.
  if (!due || *due == SteadyTime::min()) return;
  timer = loop.after(std::max(Duration(0), *due - loop.clock().steady()), [self = weak_from_this()] {
    if (auto s = self.lock()) {
      s->waiting_for.reset();
      s->pump();
    }
  });
}

void Scheduler::State::on_answers(const lotse_scheduler* policy, std::vector<WaitingPtr> batch,
                                  std::vector<std::shared_ptr<const PodForm>> forms, std::vector<Answer> answers) {
  for (size_t i = 0; i < batch.size(); ++i) {
    const std::string& uid = forms[i]->object()->header().uid;
    const bool still = queue.find(uid) == batch[i].get();
    if (answers[i].kind == Answer::Kind::kAssign) {
      // It has gone while it was being placed: the room that the policy took for it is given back.
      if (!still)
        tell_pod_gone(uid);
      else
        assign(batch[i], forms[i], answers[i], policy);
    } else if (still) {
      answers[i].kind == Answer::Kind::kPreempt ? preempt(batch[i], forms[i], answers[i])
                                                : refuse(batch[i], forms[i], answers[i]);
    }
  }
  flush();
  send_next();
  pump();
}

void Scheduler::State::assign(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const Answer& answer,
                              const lotse_scheduler* policy) {
  const std::string& uid = form->object()->header().uid;
  assumed[uid] = answer.node;
  pods.insert(uid);
  // Others than the one that has placed it: also those that were put in its place meanwhile.
  if (policies->size() > 1 || policies->front().policy != policy) tell_pod(form, answer.node, policy);
  happened |= kPodPlaced;
  bind(pod, form, answer.node);
}

void Scheduler::State::refuse(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const Answer& answer) {
  ++counters.unschedulable;
  uint32_t wakes = kNodeChanged;
  if (answer.resolvable) wakes |= kPodGone;
  if (form->looks_at_pods()) wakes |= kPodPlaced | kPodGone;
  if (!pod->nominated.empty() && !answer.resolvable) nominate(pod, form, "");  // that hope is gone
  event(form->object(), "Warning", "FailedScheduling", answer.message);
  if (pod->last_message != answer.message) {
    pod->last_message = answer.message;
    json::Value condition = json::Value::object(
        {{"type", "PodScheduled"}, {"status", "False"}, {"reason", "Unschedulable"}, {"message", answer.message}});
    condition.set("lastTransitionTime", format_time(loop.clock().now())).set("lastProbeTime", nullptr);
    json::Value status;
    status.set("conditions", json::Value::array({std::move(condition)}));
    patch_status(form->object(), std::move(status));
  }
  queue.unschedulable(pod, wakes, loop.clock().steady());
}

// Room is kept on the node while its victims end.
void Scheduler::State::preempt(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form,
                               const Answer& answer) {
  ++counters.preemptions;
  std::vector<ObjectPtr> on_node = store.on_node(answer.node);
  for (const std::string& uid : answer.victims) {
    auto victim =
        std::find_if(on_node.begin(), on_node.end(), [&](const ObjectPtr& p) { return p->header().uid == uid; });
    if (victim != on_node.end()) {
      if ((*victim)->header().deletion == WallTime{}) delete_victim(*victim, *form, answer.node);
    } else if (Waiting* other = queue.find(uid); other && !other->nominated.empty()) {
      // Room that was kept for a less important pod.
      other->nominated.clear();
      tell_pod_gone(uid);
    }
  }
  nominate(pod, form, answer.node);
  Answer said = answer;
  said.resolvable = true;
  refuse(pod, form, said);
}

void Scheduler::State::nominate(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form,
                                const std::string& node) {
  if (pod->nominated == node) return;
  pod->nominated = node;
  json::Value status;
  status.set("nominatedNodeName", node.empty() ? json::Value() : json::Value(node));
  patch_status(form->object(), std::move(status));
  if (node.empty())
    tell_pod_gone(form->object()->header().uid);
  else
    tell_pod(form, node);
}

}  // namespace lotse::sched
