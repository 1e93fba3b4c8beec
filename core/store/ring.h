// Ring: the newest changes in memory, in order, and who follows them. It is fed by the backend's watch alone, by one
// thread at a time; a change is matched once against those it may concern (by resource, by name, by node) and put into their
// queues. A follower whose queue is full leaves the ring (cursor.h) and costs the writer nothing more.
//
// Locks: the ring's, then a follower's. Nothing is called while they are held but Follower::push.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/store.h"

namespace lotse::store {

using EventPtr = std::shared_ptr<const Event>;

// Which changes somebody wants, and what they are to him.
class Filter {
 public:
  explicit Filter(WatchQuery query);
  // The change as this follower sees it: a selector makes kAdded and kDeleted of modifications. Null: none of his business.
  EventPtr see(const EventPtr& event) const;
  const WatchQuery& query() const { return query_; }
  const std::string& node() const { return node_; }  // "": not limited to the pods of one node

 private:
  bool matches(const ObjectPtr& object) const;
  WatchQuery query_;
  std::string node_;
  bool selects_ = false;
};

class Follower {
 public:
  explicit Follower(WatchQuery query) : filter_(std::move(query)) {}
  virtual ~Follower() = default;
  const Filter& filter() const { return filter_; }
  // [the ring's lock is held] The next change, as he sees it. false: his queue is full; he has left the ring.
  virtual bool push(EventPtr event) = 0;
  // Whether wake should be called for what was pushed; asked once, after the lock is gone.
  virtual void wake_if_waiting() = 0;
  // The ring no longer holds what he needs: he gets what is queued and then this.
  virtual void expire(Status why) = 0;

 private:
  Filter filter_;
};
using FollowerPtr = std::shared_ptr<Follower>;

class Ring {
 public:
  explicit Ring(size_t bytes_max) : bytes_max_(bytes_max) {}
  // Empties it: changes after `revision` will come. Gives those who followed; they are out.
  std::vector<FollowerPtr> reset(uint64_t revision);
  // The next changes, in order; afterwards everything up to `progress` has been given.
  void append(std::vector<EventPtr> events, uint64_t progress);
  uint64_t revision() const;  // everything up to here has been seen
  uint64_t floor() const;     // everything after this is still here
  EventPtr find(uint64_t revision) const;  // null: not here
  // The newest state of an object as far as the ring holds it: a change, or null.
  EventPtr latest(const Key& key) const;

  // Puts everything after `from` into the follower by push; as long as push takes it all he is in the ring from then on.
  // *reached: everything up to there was pushed. False if the ring does not go back to `from` any more.
  bool join(const FollowerPtr& follower, uint64_t from, uint64_t* reached);
  void leave(const Follower* follower);
  size_t bytes() const;

 private:
  using Followers = std::vector<FollowerPtr>;
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  Followers& place(const Filter& filter);
  void offer(const EventPtr& event, Followers& to, std::vector<FollowerPtr>* woken);
  void dispatch(const EventPtr& event, std::vector<FollowerPtr>* woken);
  void trim();

  mutable std::mutex mutex_;
  const size_t bytes_max_;
  size_t bytes_ = 0;
  uint64_t floor_ = 0, revision_ = 0;
  std::deque<EventPtr> events_;
  std::unordered_map<Key, EventPtr, KeyHash> latest_;
  Followers everything_;
  std::unordered_map<std::string, Followers> by_resource_, by_node_;
  std::unordered_map<std::string, Followers> by_name_;  // "resource/name"
};

}  // namespace lotse::store
