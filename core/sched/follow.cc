// What happens in the cluster, and whom it concerns.
#include <algorithm>

#include "core/base/log.h"
#include "core/object/cursor.h"
#include "core/sched/state.h"

namespace lotse::sched {
namespace {
const std::string kPods = "pods", kNodes = "nodes", kNamespaces = "namespaces",
                  kBudgets = "poddisruptionbudgets.policy";

// What decides where a pod may run; the rest of it may change while it waits.
bool same_wish(const Object& a, const Object& b) {
  return a.header().labels == b.header().labels && find_raw(a.bytes(), "spec") == find_raw(b.bytes(), "spec");
}
}  // namespace

Scheduler::State::State(store::Store& s, api::Handler& h, Loop& l, Loop& w, std::vector<PolicySlot> p, Settings set)
    : store(s),
      handler(h),
      loop(l),
      worker(w),
      policies(std::make_shared<const std::vector<PolicySlot>>(std::move(p))),
      settings(set),
      user(std::make_shared<security::User>(security::scheduler_user())) {}

Status Scheduler::State::start() {
  store::WatchQuery query;
  query.from = store.revision();
  auto opened = store.watch(query, [self = weak_from_this(), &loop = loop] {
    loop.post([self] {
      if (auto s = self.lock()) s->follow();
    });
  });
  if (!opened.ok()) return opened.status();
  cursor = *std::move(opened);
  relist();
  follow();
  return {};
}

void Scheduler::State::start_again() {
  Status s = start();
  if (s.ok()) return;
  log::error("sched.stuck", "the store cannot be followed; tried again in a second", {{"why", s.message}});
  retry = loop.after(std::chrono::seconds(1), [self = weak_from_this()] {
    if (auto state = self.lock(); state && !state->stopped) state->start_again();
  });
}

void Scheduler::State::stop() {
  stopped = true;
  cursor.reset();
  timer.reset();
  retry.reset();
  told.clear();
  writes.clear();
  events.clear();
}

// All there is, nodes first; what the policies know and is gone is taken from them.
void Scheduler::State::relist() {
  auto list = [&](const std::string& resource) {
    store::ListQuery query;
    query.resource = resource;
    auto page = store.list(query);
    if (!page.ok()) log::error("sched.list", page.status().message, {{"resource", resource}});
    return page.ok() ? std::move(page->items) : std::vector<ObjectPtr>();
  };
  auto old_nodes = std::exchange(nodes, {});
  auto old_pods = std::exchange(pods, {});
  for (const ObjectPtr& b : list(kBudgets)) on_budget({kBudgets, b->header().ns, b->header().name}, b);
  for (const ObjectPtr& n : list(kNodes)) {
    old_nodes.erase(n->header().name);
    on_node(n, nullptr);
  }
  for (const ObjectPtr& p : list(kPods)) {
    old_pods.erase(p->header().uid);
    on_pod(p, nullptr);
  }
  for (const std::string& uid : old_pods) {
    queue.remove(uid);
    tell_pod_gone(uid);
  }
  for (const std::string& name : old_nodes) on_node_gone(name);
}

void Scheduler::State::follow() {
  if (stopped || !cursor) return;
  auto found = cursor->next(512);
  if (!found.ok()) {
    log::warn("sched.relist", "the ring has gone past the scheduler; everything is read again",
              {{"why", found.status().message}});
    cursor.reset();
    return start_again();
  }
  for (const store::Event& e : *found) on_event(e);
  if (happened) queue.wake(std::exchange(happened, 0), loop.clock().steady());
  flush();
  if (!found->empty())
    loop.post([self = weak_from_this()] {
      if (auto s = self.lock()) s->follow();
    });
  pump();
}

void Scheduler::State::on_event(const store::Event& e) {
  const bool gone = e.type == store::Event::Type::kDeleted;
  if (e.key.resource == kPods) {
    gone ? on_pod_gone(e.object) : on_pod(e.object, e.previous);
  } else if (e.key.resource == kNodes) {
    gone ? on_node_gone(e.key.name) : on_node(e.object, e.previous);
  } else if (e.key.resource == kBudgets) {
    on_budget(e.key, gone ? nullptr : e.object);
  } else if (e.key.resource == kNamespaces) {
    if (gone || !e.previous || e.previous->header().labels != e.object->header().labels) on_namespaces();
  }
}

bool Scheduler::State::ours(std::string_view name) const {
  return std::any_of(policies->begin(), policies->end(), [&](const PolicySlot& p) {
    return std::find(p.scheduler_names.begin(), p.scheduler_names.end(), name) != p.scheduler_names.end();
  });
}

void Scheduler::State::on_pod(const ObjectPtr& pod, const ObjectPtr& previous) {
  const ObjectHeader& h = pod->header();
  const std::string& uid = h.uid;
  if (previous && previous->header().uid == uid && !pod_matters(*previous, *pod)) return;
  if (!h.node_name.empty()) {
    queue.remove(uid);
    auto it = assumed.find(uid);
    const bool confirmed = it != assumed.end() && it->second == h.node_name;
    if (it != assumed.end()) assumed.erase(it);
    if (finished(*pod)) {
      tell_pod_gone(uid);
      happened |= kPodGone;
    } else if (!confirmed) {  // else the policies know it, and it has had its effect
      tell_pod(form(pod), h.node_name);
      happened |= kPodPlaced;
    }
    return;
  }
  if (h.deletion != WallTime{} || finished(*pod)) return on_pod_gone(pod);
  std::shared_ptr<const PodForm> made = form(pod);
  if (!ours(made->scheduler()) || made->gated()) {
    if (queue.has(uid)) queue.remove(uid);
    return;
  }
  if (queue.has(uid) && previous && same_wish(*previous, *pod)) return queue.refresh(made);
  queue.add(made, loop.clock().steady());
  // After a start: room was kept for it.
  if (!made->nominated().empty() && !previous) tell_pod(made, std::string(made->nominated()));
}

void Scheduler::State::on_pod_gone(const ObjectPtr& pod) {
  const std::string& uid = pod->header().uid;
  queue.remove(uid);
  assumed.erase(uid);
  selecting.erase(pod->header().ns + "/" + pod->header().name);
  tell_pod_gone(uid);
  happened |= kPodGone;
}

void Scheduler::State::on_node(const ObjectPtr& node, const ObjectPtr& previous) {
  const std::string name = node->header().name;
  const bool fresh = nodes.insert(name).second;
  if (!fresh && previous && !node_matters(*previous, *node)) return;
  auto made = std::make_shared<const NodeForm>(*node);
  told.push_back([made, all = policies] {
    for (const PolicySlot& p : *all) p.policy->node_set(p.policy->base.self, &made->raw());
  });
  happened |= kNodeChanged;
  if (!fresh) return;
  // Pods may have been told of before their node was there.
  for (const ObjectPtr& pod : store.on_node(name))
    if (!finished(*pod)) tell_pod(form(pod), name);
}

void Scheduler::State::on_node_gone(const std::string& name) {
  for (const ObjectPtr& pod : store.on_node(name)) tell_pod_gone(pod->header().uid);
  nodes.erase(name);
  told.push_back([name, all = policies] {
    for (const PolicySlot& p : *all) p.policy->node_remove(p.policy->base.self, {name.data(), name.size()});
  });
}

void Scheduler::State::on_budget(const store::Key& key, const ObjectPtr& budget) {
  const std::string id = key.ns + "/" + key.name;
  Budget now;
  now.ns = key.ns;
  bool any = false;
  if (budget) {
    const json::Value v = budget->value();
    auto selector = LabelSelector::from_value(v["spec"]["selector"]);
    if (selector.ok()) now.selector = *std::move(selector);
    now.exhausted = v["status"]["disruptionsAllowed"].integer() <= 0;
  }
  auto it = budgets.find(id);
  const bool changed = it == budgets.end() ? budget && now.exhausted
                                           : !budget || it->second.exhausted != now.exhausted ||
                                                 it->second.selector.text() != now.selector.text();
  if (budget)
    budgets[id] = now;
  else
    budgets.erase(id);
  if (!changed) return;
  store::ListQuery query;
  query.resource = kPods;
  query.ns = key.ns;
  auto page = store.list(query);
  if (!page.ok()) return;
  for (const ObjectPtr& pod : page->items)
    if (!pod->header().node_name.empty() && !finished(*pod)) tell_pod(form(pod), pod->header().node_name), any = true;
  if (any) happened |= kPodChanged;
}

// Selectors of namespaces in affinity terms may now select others.
void Scheduler::State::on_namespaces() {
  auto concerned = selecting;
  for (const std::string& key : concerned) {
    size_t slash = key.find('/');
    auto pod = store.get({kPods, key.substr(0, slash), key.substr(slash + 1)});
    if (!pod.ok()) continue;
    if (!(*pod)->header().node_name.empty())
      tell_pod(form(*pod), (*pod)->header().node_name);
    else if (queue.has((*pod)->header().uid))
      queue.add(form(*pod), loop.clock().steady());
  }
}

}  // namespace lotse::sched
