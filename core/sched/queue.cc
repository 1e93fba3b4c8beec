#include "core/sched/queue.h"

#include <algorithm>

namespace lotse::sched {
namespace {
const std::string& uid_of(const Waiting& w) {
  return w.form->object()->header().uid;
}
}  // namespace

bool Queue::Order::operator()(const WaitingPtr& a, const WaitingPtr& b) const {
  if (a->form->priority() != b->form->priority()) return a->form->priority() > b->form->priority();
  if (a->since != b->since) return a->since < b->since;
  return uid_of(*a) < uid_of(*b);
}

Duration Queue::backoff(int attempts) {
  return attempts > 4 ? kPodBackoffMax
                      : std::min(kPodBackoffMax, kPodBackoffFirst * (int64_t{1} << std::max(0, attempts - 1)));
}

void Queue::leave(Entry& e) {
  const std::string& uid = uid_of(*e.pod);
  if (e.place == Place::kActive) active_.erase(e.pod);
  if (e.place == Place::kBackoff) backoff_.erase({e.due, uid});
  if (e.place == Place::kUnschedulable) unschedulable_.erase({e.due, uid});
}

void Queue::enter(Entry& e, Place place, SteadyTime due) {
  e.place = place;
  e.due = due;
  const std::string& uid = uid_of(*e.pod);
  if (place == Place::kActive) active_.insert(e.pod);
  if (place == Place::kBackoff) backoff_.insert({due, uid});
  if (place == Place::kUnschedulable) unschedulable_.insert({due, uid});
}

void Queue::add(std::shared_ptr<const PodForm> form, SteadyTime now) {
  const std::string uid = form->object()->header().uid;
  auto [it, fresh] = entries_.try_emplace(uid);
  Entry& e = it->second;
  if (fresh) {
    e.pod = std::make_shared<Waiting>();
    e.pod->since = now;
    e.pod->form = std::move(form);
    e.pod->nominated = e.pod->form->nominated();
    enter(e, Place::kActive);
    return;
  }
  if (e.place == Place::kInFlight) {
    // The answer under way is for the old form: it is looked at again afterwards.
    e.pod->form = std::move(form);
    e.happened |= kPodChanged;
    return;
  }
  leave(e);
  e.pod->form = std::move(form);
  enter(e, Place::kActive);
}

void Queue::refresh(std::shared_ptr<const PodForm> form) {
  auto it = entries_.find(form->object()->header().uid);
  if (it == entries_.end()) return;
  Entry& e = it->second;
  Place place = e.place;
  SteadyTime due = e.due;
  leave(e);
  e.pod->form = std::move(form);
  enter(e, place, due);
}

void Queue::remove(const std::string& uid) {
  auto it = entries_.find(uid);
  if (it == entries_.end()) return;
  leave(it->second);
  entries_.erase(it);
}

Waiting* Queue::find(const std::string& uid) {
  auto it = entries_.find(uid);
  return it == entries_.end() ? nullptr : it->second.pod.get();
}

void Queue::tick(SteadyTime now) {
  auto move_due = [&](std::set<std::pair<SteadyTime, std::string>>& from) {
    while (!from.empty() && from.begin()->first <= now) {
      Entry& e = entries_.at(from.begin()->second);
      leave(e);
      enter(e, Place::kActive);
    }
  };
  move_due(backoff_);
  move_due(unschedulable_);
}

std::string Queue::first_scheduler(SteadyTime now) {
  tick(now);
  return active_.empty() ? "" : std::string((*active_.begin())->form->scheduler());
}

std::vector<WaitingPtr> Queue::take(size_t max, SteadyTime now, std::string_view scheduler) {
  tick(now);
  std::vector<WaitingPtr> out;
  for (auto it = active_.begin(); it != active_.end() && out.size() < max;) {
    WaitingPtr pod = *it;
    // Others wait for their turn: order among policies is kept.
    if (pod->form->scheduler() != scheduler) break;
    it = active_.erase(it);
    Entry& e = entries_.at(uid_of(*pod));
    e.place = Place::kInFlight;
    e.happened = 0;
    ++pod->attempts;
    out.push_back(std::move(pod));
  }
  return out;
}

void Queue::unschedulable(const WaitingPtr& pod, uint32_t wakes, SteadyTime now) {
  auto it = entries_.find(uid_of(*pod));
  if (it == entries_.end() || it->second.pod != pod || it->second.place != Place::kInFlight) return;
  pod->wakes = wakes | kPodChanged;
  Entry& e = it->second;
  e.failed = now;
  if (e.happened & kPodChanged) return enter(e, Place::kActive);
  if (e.happened & pod->wakes) return enter(e, Place::kBackoff, now + backoff(pod->attempts));
  enter(e, Place::kUnschedulable, now + kUnschedulableMax);
}

void Queue::retry(const WaitingPtr& pod, SteadyTime now) {
  auto it = entries_.find(uid_of(*pod));
  if (it == entries_.end() || it->second.pod != pod || it->second.place != Place::kInFlight) return;
  it->second.failed = now;
  enter(it->second, Place::kBackoff, now + backoff(pod->attempts));
}

void Queue::wake(uint32_t events, SteadyTime now) {
  for (auto it = unschedulable_.begin(); it != unschedulable_.end();) {
    Entry& e = entries_.at((it++)->second);
    if (!(e.pod->wakes & events)) continue;
    leave(e);
    SteadyTime until = e.failed + backoff(e.pod->attempts);
    if (until <= now)
      enter(e, Place::kActive);
    else
      enter(e, Place::kBackoff, until);
  }
  for (auto& [uid, e] : entries_)
    if (e.place == Place::kInFlight) e.happened |= events;
}

std::optional<SteadyTime> Queue::next_due() const {
  if (!active_.empty()) return SteadyTime::min();
  std::optional<SteadyTime> first;
  for (const auto* set : {&backoff_, &unschedulable_})
    if (!set->empty() && (!first || set->begin()->first < *first)) first = set->begin()->first;
  return first;
}

}  // namespace lotse::sched
