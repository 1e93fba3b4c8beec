// A follower of the ring with a bounded queue, and what it does when it falls behind:
//
//   in the ring --queue full--> left --drained--> joins again, if the ring still goes back to where it left;
//                                     otherwise: behind, served by a watch of its own on the backend's history, until
//                                     that has come to where the ring begins
//
// It ends with kExpired only when the backend has compacted the revision that it needs.
#pragma once
#include <deque>
#include <mutex>

#include "core/store/backend.h"
#include "core/store/ring.h"

namespace lotse::store {

// What a cursor needs of the store.
class Source {
 public:
  virtual ~Source() = default;
  virtual Ring& ring() = 0;
  // A watch of the backend for what the query asks for, after the outward revision `from`.
  using OnChanges = std::function<void(std::vector<EventPtr>, uint64_t progress, size_t credit)>;
  virtual Result<std::shared_ptr<BackendWatch>> follow(const WatchQuery& query, uint64_t from, OnChanges on_changes,
                                                       BackendWatch::OnEnd on_end) = 0;
};

class CursorState : public Follower, public std::enable_shared_from_this<CursorState> {
 public:
  static constexpr size_t kEventsMax = 1024;
  static constexpr size_t kBytesMax = 1u << 20;
  CursorState(Source& source, WatchQuery query, std::function<void()> wake);

  Result<std::vector<Event>> next(size_t max);
  uint64_t progress() const;
  Status start();
  void close();
  void expire(Status why) override;

  bool push(EventPtr event) override;
  void wake_if_waiting() override;

 private:
  enum class Place : uint8_t { kLeft, kInRing, kBehind };
  bool put(EventPtr event);          // [mutex_ held] false: full
  std::vector<Event> take(size_t max);
  Status rejoin();
  Status fall_behind(uint64_t from);
  void changes(std::vector<EventPtr> events, uint64_t progress, size_t credit);
  void history_ended(Status why);

  Source& source_;
  mutable std::mutex mutex_;
  std::function<void()> wake_;
  std::deque<EventPtr> queue_;
  size_t queued_bytes_ = 0;
  Place place_ = Place::kLeft;
  bool waiting_ = false, closed_ = false;
  uint64_t reached_;                 // everything up to here was queued or was none of his business
  uint64_t given_;                   // everything up to here was given
  Status ended_;
  std::shared_ptr<BackendWatch> history_;
  size_t credit_ = 0;                // to be granted once the queue is empty
};

class RingCursor : public Cursor {
 public:
  explicit RingCursor(std::shared_ptr<CursorState> state) : state_(std::move(state)) {}
  ~RingCursor() override { state_->close(); }
  Result<std::vector<Event>> next(size_t max) override { return state_->next(max); }
  uint64_t progress() const override { return state_->progress(); }

 private:
  std::shared_ptr<CursorState> state_;
};

}  // namespace lotse::store
