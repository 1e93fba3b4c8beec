// The way up: the backend's watch becomes events, the index and the ring follow, and whoever waits for a revision is answered.
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace lotse::store {
namespace {

constexpr uint64_t kFeedCredit = 4u << 20;

}  // namespace

Result<ObjectPtr> StoreImpl::load_object(std::string_view value, uint64_t backend_revision) const {
  return Object::from_bytes(Bytes(value), outward(backend_revision));
}

EventPtr StoreImpl::event_of(const lotse_state_event& e, bool from_feed) {
  DecodedKey key;
  if (!decode_key(as_view(e.key), &key)) return nullptr;
  auto event = std::make_shared<Event>();
  event->key.resource = resources_.resource(key.number);
  event->key.ns = key.ns;
  event->key.name = key.name;
  event->revision = outward(e.revision);
  if (e.previous_revision != 0) {
    const EventPtr last = from_feed ? ring_.latest(event->key) : nullptr;
    if (last && last->type != Event::Type::kDeleted && last->revision == outward(e.previous_revision)) {
      event->previous = last->object;
    } else if (auto previous = load_object(as_view(e.previous), e.previous_revision); previous.ok()) {
      event->previous = *previous;
    }
  }
  if (e.kind == LOTSE_STATE_DELETE) {
    event->type = Event::Type::kDeleted;
    if (!event->previous) return nullptr;
    auto gone = Object::from_bytes(event->previous->bytes(), event->revision);
    if (gone.ok()) event->object = *gone;
  } else {
    event->type = e.previous_revision == 0 ? Event::Type::kAdded : Event::Type::kModified;
    if (auto object = load_object(as_view(e.value), e.revision); object.ok()) event->object = *object;
  }
  if (!event->object || event->key.resource.empty()) {
    log::error("store.unreadable", "a stored object cannot be read; it is left out", {{"key", event->key.name}, {"revision", e.revision}});
    return nullptr;
  }
  return event;
}

void StoreImpl::feed(const lotse_state_events& events) {
  std::vector<EventPtr> batch;
  batch.reserve(events.count);
  const auto* at = reinterpret_cast<const char*>(events.events);
  for (size_t i = 0; i < events.count; ++i, at += events.events[0].size) {
    const auto& e = *reinterpret_cast<const lotse_state_event*>(at);
    if (as_view(e.key) == kResourcesKey && e.kind == LOTSE_STATE_PUT) {
      if (auto status = resources_.load(as_view(e.value), e.revision); !status.ok()) {
        log::error("store.table", status.message, {{"revision", e.revision}});
      }
      continue;
    }
    EventPtr event = event_of(e, true);
    if (!event) continue;
    const bool gone = event->type == Event::Type::kDeleted;
    index_.change(event->key, as_view(e.key), event->previous.get(), gone ? nullptr : event->object.get());
    batch.push_back(std::move(event));
  }
  {
    std::lock_guard lock(feed_mutex_);
    fed_ = std::max(fed_, events.progress);
  }
  ring_.append(std::move(batch), outward(events.progress));
  release_waiters();
}

Status StoreImpl::start_feed() {
  uint64_t from = 0;
  {
    std::lock_guard lock(feed_mutex_);
    from = fed_ + 1;
  }
  auto holder = std::make_shared<std::weak_ptr<BackendWatch>>();
  const std::weak_ptr<bool> alive = alive_;
  auto watch = backend_.watch(
      std::string_view("\0", 1), {}, from,
      [this, holder](const lotse_state_events& events, size_t size) {
        feed(events);
        if (auto self = holder->lock()) self->grant(size);
      },
      [this, holder, alive](Status why) {
        if (!alive.expired()) feed_ended(holder->lock(), std::move(why));
      });
  if (!watch.ok()) return watch.status();
  *holder = *watch;
  {
    std::lock_guard lock(feed_mutex_);
    feed_ = *watch;
  }
  (*watch)->grant(kFeedCredit);
  return {};
}

// The feed must go on: from where it was, or, when that is compacted, with everything read anew.
void StoreImpl::feed_ended(const std::shared_ptr<BackendWatch>& which, Status why) {
  {
    std::lock_guard lock(feed_mutex_);
    if (feed_ != which || which == nullptr) return;  // ended by us
    feed_.reset();
  }
  log::warn("store.feed_ended", "the backend's watch has ended and is opened again", {{"reason", why.message}});
  const bool anew = why.reason == Reason::kExpired;
  if (!options_.loop) return resume_feed(anew);
  options_.loop->post([this, alive = std::weak_ptr<bool>(alive_), anew] {
    if (!alive.expired()) resume_feed(anew);
  });
}

// As often as it takes, once a second.
void StoreImpl::resume_feed(bool anew) {
  {
    std::lock_guard lock(feed_mutex_);
    if (feed_) return;
  }
  std::vector<FollowerPtr> left;
  Status status = anew ? load(&left) : Status();
  if (status.ok()) status = start_feed();
  expire(left);
  if (status.ok()) return;
  log::error("store.feed_down", status.message);
  if (!options_.loop) return;
  auto timer = std::make_shared<Handle>();
  *timer = options_.loop->after(std::chrono::seconds(1), [this, alive = std::weak_ptr<bool>(alive_), timer, anew] {
    const auto keep = std::move(*timer);
    if (!alive.expired()) resume_feed(anew);
  });
}

}  // namespace lotse::store
