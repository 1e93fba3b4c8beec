// What the policies are told. Everything goes to the worker in the order in which it happened, in one piece for what
// was read from the ring at once.
#include <algorithm>

#include "core/plugin/shield.h"
#include "core/sched/state.h"

namespace lotse::sched {

std::shared_ptr<PodForm> Scheduler::State::form(const ObjectPtr& pod) {
  auto made = std::make_shared<PodForm>(pod, [this](const LabelSelector& selector) {
    store::ListQuery query;
    query.resource = "namespaces";
    query.labels = selector;
    std::vector<std::string> names;
    if (auto page = store.list(query); page.ok())
      for (const ObjectPtr& ns : page->items) names.push_back(ns->header().name);
    return names;
  });
  if (made->selects_namespaces()) selecting.insert(pod->header().ns + "/" + pod->header().name);
  return made;
}

bool Scheduler::State::breaks_budget(const ObjectHeader& pod) const {
  return std::any_of(budgets.begin(), budgets.end(), [&](const auto& entry) {
    const Budget& b = entry.second;
    return b.exhausted && b.ns == pod.ns && !b.selector.matches_nothing() && b.selector.matches(pod.labels);
  });
}

void Scheduler::State::tell_pod(std::shared_ptr<const PodForm> form, const std::string& node,
                                const lotse_scheduler* except) {
  pods.insert(form->object()->header().uid);
  const bool breaks = !budgets.empty() && breaks_budget(form->object()->header());
  told.push_back([form = std::move(form), node, breaks, except, all = policies] {
    lotse_sched_pod raw = form->on(node);
    raw.disruption = breaks;
    for (const PolicySlot& p : *all)
      if (p.policy != except) p.policy->pod_set(p.policy->base.self, &raw);
  });
}

void Scheduler::State::tell_pod_gone(const std::string& uid) {
  pods.erase(uid);
  told.push_back([uid, all = policies] {
    for (const PolicySlot& p : *all) p.policy->pod_remove(p.policy->base.self, {uid.data(), uid.size()});
  });
}

void Scheduler::State::flush() {
  if (told.empty()) return;
  worker.post([all = std::exchange(told, {})] {
    for (const auto& tell : all) plugin::shielded_quietly("scheduler", [&] { tell(); });
  });
}

}  // namespace lotse::sched
