#include "core/store/ring.h"

#include "core/base/ids.h"

namespace lotse::store {
namespace {

size_t weight(const Event& event) {
  size_t bytes = 256;
  if (event.object) bytes += event.object->bytes().size() + 256;
  if (event.previous) bytes += 256;  // its bytes are mostly shared with the change before
  return bytes;
}

std::string name_place(std::string_view resource, std::string_view name) {
  std::string place(resource);
  place.push_back('/');
  return place.append(name);
}

void erase(std::vector<FollowerPtr>& from, const Follower* follower) {
  std::erase_if(from, [&](const FollowerPtr& f) { return f.get() == follower; });
}

}  // namespace

size_t Ring::KeyHash::operator()(const Key& key) const {
  const std::hash<std::string> h;
  return h(key.name) * 31 + h(key.ns) * 17 + h(key.resource);
}

std::vector<FollowerPtr> Ring::reset(uint64_t revision) {
  std::lock_guard lock(mutex_);
  std::vector<FollowerPtr> all = std::move(everything_);
  for (const auto* map : {&by_resource_, &by_node_, &by_name_}) {
    for (const auto& [place, followers] : *map) all.insert(all.end(), followers.begin(), followers.end());
  }
  events_.clear();
  latest_.clear();
  bytes_ = 0;
  floor_ = revision_ = revision;
  everything_.clear();
  by_resource_.clear();
  by_node_.clear();
  by_name_.clear();
  return all;
}

void Ring::append(std::vector<EventPtr> events, uint64_t progress) {
  std::vector<FollowerPtr> woken;
  {
    std::lock_guard lock(mutex_);
    for (auto& event : events) {
      revision_ = event->revision;
      bytes_ += weight(*event);
      dispatch(event, &woken);
      latest_[event->key] = event;
      events_.push_back(std::move(event));
    }
    revision_ = std::max(revision_, progress);
    trim();
  }
  for (const auto& follower : woken) follower->wake_if_waiting();
}

void Ring::trim() {
  while (bytes_ > bytes_max_ && events_.size() > 1) {
    const EventPtr oldest = std::move(events_.front());
    events_.pop_front();
    bytes_ -= weight(*oldest);
    floor_ = oldest->revision;
    if (const auto it = latest_.find(oldest->key); it != latest_.end() && it->second == oldest) latest_.erase(it);
  }
}

void Ring::offer(const EventPtr& event, Followers& to, std::vector<FollowerPtr>* woken) {
  for (size_t i = 0; i < to.size();) {
    EventPtr seen = to[i]->filter().see(event);
    if (!seen) {
      ++i;
      continue;
    }
    woken->push_back(to[i]);
    if (to[i]->push(std::move(seen))) {
      ++i;
    } else {
      to[i] = to.back();
      to.pop_back();
    }
  }
}

void Ring::dispatch(const EventPtr& event, std::vector<FollowerPtr>* woken) {
  const auto offer_to = [&](auto& map, const std::string& place) {
    if (const auto it = map.find(place); it != map.end()) offer(event, it->second, woken);
  };
  offer(event, everything_, woken);
  offer_to(by_resource_, event->key.resource);
  if (!by_name_.empty()) offer_to(by_name_, name_place(event->key.resource, event->key.name));
  if (event->key.resource != "pods" || by_node_.empty()) return;
  const std::string now = event->object ? event->object->header().node_name : "";
  const std::string before = event->previous ? event->previous->header().node_name : "";
  if (!now.empty()) offer_to(by_node_, now);
  if (!before.empty() && before != now) offer_to(by_node_, before);
}

uint64_t Ring::revision() const {
  std::lock_guard lock(mutex_);
  return revision_;
}

uint64_t Ring::floor() const {
  std::lock_guard lock(mutex_);
  return floor_;
}

size_t Ring::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

EventPtr Ring::find(uint64_t revision) const {
  std::lock_guard lock(mutex_);
  const auto it = std::lower_bound(events_.begin(), events_.end(), revision,
                                   [](const EventPtr& e, uint64_t r) { return e->revision < r; });
  return it != events_.end() && (*it)->revision == revision ? *it : nullptr;
}

EventPtr Ring::latest(const Key& key) const {
  std::lock_guard lock(mutex_);
  const auto it = latest_.find(key);
  return it == latest_.end() ? nullptr : it->second;
}

Ring::Followers& Ring::place(const Filter& filter) {
  const WatchQuery& q = filter.query();
  if (q.resource.empty()) return everything_;
  if (!q.name.empty()) return by_name_[name_place(q.resource, q.name)];
  if (!filter.node().empty()) return by_node_[filter.node()];
  return by_resource_[q.resource];
}

bool Ring::join(const FollowerPtr& follower, uint64_t from, uint64_t* reached) {
  std::lock_guard lock(mutex_);
  if (from < floor_) return false;
  auto it = std::upper_bound(events_.begin(), events_.end(), from,
                             [](uint64_t r, const EventPtr& e) { return r < e->revision; });
  for (; it != events_.end(); ++it) {
    EventPtr seen = follower->filter().see(*it);
    if (seen && !follower->push(std::move(seen))) {
      *reached = (*it)->revision - 1;
      return true;
    }
  }
  *reached = std::max(revision_, from);
  place(follower->filter()).push_back(follower);
  return true;
}

void Ring::leave(const Follower* follower) {
  std::lock_guard lock(mutex_);
  const WatchQuery& q = follower->filter().query();
  const auto drop = [&](auto& map, const std::string& place) {
    const auto it = map.find(place);
    if (it == map.end()) return;
    erase(it->second, follower);
    if (it->second.empty()) map.erase(it);
  };
  if (q.resource.empty()) return erase(everything_, follower);
  if (!q.name.empty()) return drop(by_name_, name_place(q.resource, q.name));
  if (!follower->filter().node().empty()) return drop(by_node_, follower->filter().node());
  drop(by_resource_, q.resource);
}

}  // namespace lotse::store
