// Other policies while the scheduler runs.
#include "core/base/log.h"
#include "core/sched/state.h"

namespace lotse::sched {

void Scheduler::State::set_policies(std::vector<PolicySlot> next) {
  if (stopped) return;
  flush();  // what has happened until now is for the old ones
  policies = std::make_shared<const std::vector<PolicySlot>>(std::move(next));
  auto list = [&](const char* resource) {
    store::ListQuery query;
    query.resource = resource;
    auto page = store.list(query);
    if (!page.ok()) log::error("sched.list", page.status().message, {{"resource", resource}});
    return page.ok() ? std::move(page->items) : std::vector<ObjectPtr>();
  };
  for (const ObjectPtr& node : list("nodes"))
    told.push_back([made = std::make_shared<const NodeForm>(*node), all = policies] {
      for (const PolicySlot& p : *all) p.policy->node_set(p.policy->base.self, &made->raw());
    });
  for (const ObjectPtr& pod : list("pods")) {
    const ObjectHeader& h = pod->header();
    if (finished(*pod)) continue;
    auto made = form(pod);
    const auto taken = assumed.find(h.uid);
    const Waiting* waiting = queue.find(h.uid);
    if (!h.node_name.empty())
      tell_pod(made, h.node_name);
    else if (taken != assumed.end())  // its binding is under way
      tell_pod(made, taken->second);
    else if (waiting && !waiting->nominated.empty())  // room is kept for it
      tell_pod(made, waiting->nominated);
    if (!h.node_name.empty() || h.deletion != WallTime{} || made->gated()) continue;
    if (waiting && !ours(made->scheduler()) && taken == assumed.end())
      queue.remove(h.uid);
    else if (!waiting && ours(made->scheduler()))
      queue.add(made, loop.clock().steady());
  }
  queue.wake(kNodeChanged | kPodGone | kPodPlaced | kPodChanged, loop.clock().steady());  // what did not fit may by the new rules
  flush();
  pump();
}

}  // namespace lotse::sched
