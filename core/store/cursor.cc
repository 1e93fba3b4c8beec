#include "core/store/cursor.h"

namespace lotse::store {
namespace {

constexpr uint64_t kHistoryCredit = 256 * 1024;

size_t weight(const Event& event) { return 128 + (event.object ? event.object->bytes().size() : 0); }

}  // namespace

CursorState::CursorState(Source& source, WatchQuery query, std::function<void()> wake)
    : Follower(std::move(query)), source_(source), wake_(std::move(wake)) {
  reached_ = given_ = filter().query().from;
}

Status CursorState::start() { return rejoin(); }

bool CursorState::put(EventPtr event) {
  if (queue_.size() >= kEventsMax || (queued_bytes_ >= kBytesMax && !queue_.empty())) return false;
  queued_bytes_ += weight(*event);
  queue_.push_back(std::move(event));
  return true;
}

bool CursorState::push(EventPtr event) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  const uint64_t revision = event->revision;
  if (revision <= reached_) return true;  // he begins later than the ring stands
  if (put(std::move(event))) {
    reached_ = revision;
    return true;
  }
  reached_ = revision - 1;
  place_ = Place::kLeft;
  return false;
}

void CursorState::wake_if_waiting() {
  std::function<void()> wake;
  {
    std::lock_guard lock(mutex_);
    if (!waiting_ || closed_) return;
    waiting_ = false;
    wake = wake_;
  }
  if (wake) wake();
}

std::vector<Event> CursorState::take(size_t max) {
  std::vector<Event> events;
  events.reserve(std::min(max, queue_.size()));
  while (events.size() < max && !queue_.empty()) {
    queued_bytes_ -= weight(*queue_.front());
    given_ = queue_.front()->revision;
    events.push_back(*queue_.front());
    queue_.pop_front();
  }
  return events;
}

Result<std::vector<Event>> CursorState::next(size_t max) {
  for (int attempt = 0;; ++attempt) {
    std::shared_ptr<BackendWatch> history;
    size_t credit = 0;
    bool join = false;
    {
      std::lock_guard lock(mutex_);
      if (!queue_.empty()) return take(max);
      if (!ended_.ok()) return ended_;
      given_ = std::max(given_, reached_);
      if (place_ == Place::kBehind) {
        history = history_;
        credit = std::exchange(credit_, 0);
      }
      join = place_ != Place::kInRing;
      if (!join || attempt > 1) {
        waiting_ = true;
        if (!history) return std::vector<Event>();
      }
    }
    if (join && attempt <= 1) {
      if (auto status = rejoin(); !status.ok()) return status;
    }
    if (history) history->grant(credit);
    if (attempt > 1) return std::vector<Event>();
  }
}

// Into the ring if it reaches back far enough, else to the backend's history.
Status CursorState::rejoin() {
  const uint64_t floor = source_.ring().floor();  // before our lock: the ring's comes first
  uint64_t from = 0;
  bool behind = false;
  {
    std::lock_guard lock(mutex_);
    from = reached_;
    behind = place_ == Place::kBehind;
    if (behind && from < floor) return {};  // the history goes on
  }
  uint64_t reached = 0;
  std::shared_ptr<BackendWatch> history;
  if (behind) {  // what the history still brings from here on is refused, so that the ring can take over
    std::lock_guard lock(mutex_);
    history = std::exchange(history_, nullptr);
    place_ = Place::kLeft;
    from = reached_;
  }
  if (history) history->cancel();
  {
    std::lock_guard lock(mutex_);
    place_ = Place::kInRing;  // a push that finds the queue full takes it back
  }
  if (source_.ring().join(shared_from_this(), from, &reached)) {
    std::lock_guard lock(mutex_);
    if (place_ == Place::kInRing) reached_ = std::max(reached_, reached);
    return {};
  }
  return fall_behind(from);
}

Status CursorState::fall_behind(uint64_t from) {
  {
    std::lock_guard lock(mutex_);
    place_ = Place::kBehind;
    credit_ = 0;
  }
  const std::weak_ptr<CursorState> weak = weak_from_this();
  auto watch = source_.follow(
      filter().query(), from,
      [weak](std::vector<EventPtr> events, uint64_t progress, size_t credit) {
        if (auto self = weak.lock()) self->changes(std::move(events), progress, credit);
      },
      [weak](Status why) {
        if (auto self = weak.lock()) self->history_ended(std::move(why));
      });
  if (!watch.ok()) {
    std::lock_guard lock(mutex_);
    place_ = Place::kLeft;
    if (watch.status().reason == Reason::kExpired) ended_ = watch.status();
    return watch.status();
  }
  {
    std::lock_guard lock(mutex_);
    history_ = *watch;
  }
  (*watch)->grant(kHistoryCredit);
  return {};
}

void CursorState::changes(std::vector<EventPtr> events, uint64_t progress, size_t credit) {
  std::shared_ptr<BackendWatch> history;
  size_t grant = 0;
  const uint64_t floor = source_.ring().floor();
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (place_ != Place::kBehind || closed_) return;
    for (auto& event : events) {
      if (event->revision <= reached_) continue;
      if (EventPtr seen = filter().see(event)) {
        queued_bytes_ += weight(*seen);
        queue_.push_back(std::move(seen));  // bounded by the credit
      }
    }
    reached_ = std::max(reached_, progress);
    credit_ += credit;
    wake = !queue_.empty() || reached_ >= floor;
    if (!wake) {
      history = history_;
      grant = std::exchange(credit_, 0);
    }
  }
  if (history) history->grant(grant);
  if (wake) wake_if_waiting();
}

void CursorState::history_ended(Status why) {
  {
    std::lock_guard lock(mutex_);
    if (place_ != Place::kBehind) return;
    place_ = Place::kLeft;
    history_.reset();
    if (why.reason == Reason::kExpired) ended_ = std::move(why);
  }
  wake_if_waiting();
}

void CursorState::expire(Status why) {
  std::shared_ptr<BackendWatch> history;
  {
    std::lock_guard lock(mutex_);
    ended_ = std::move(why);
    place_ = Place::kLeft;
    history = std::exchange(history_, nullptr);
  }
  if (history) history->cancel();
  wake_if_waiting();
}

void CursorState::close() {
  std::shared_ptr<BackendWatch> history;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    wake_ = nullptr;
    history = std::exchange(history_, nullptr);
  }
  source_.ring().leave(this);
  if (history) history->cancel();
}

uint64_t CursorState::progress() const {
  const uint64_t seen = source_.ring().revision();
  std::lock_guard lock(mutex_);
  if (!queue_.empty()) return given_;
  return std::max(given_, place_ == Place::kInRing ? seen : reached_);
}

}  // namespace lotse::store
