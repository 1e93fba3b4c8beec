// The store itself. The way of a change:
//
//   commit() -> numbers for its resources -> queue -> one batch to the plugin -> outcome
//   the backend's watch -> Index, Ring -> the outcome's revision is reached -> answer
//
// commit.cc: the way down; feed.cc: the way up; read.cc: get, list, watch; compaction.cc; backup.cc; open.cc.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "core/base/gate.h"
#include "core/store/backend.h"
#include "core/store/cursor.h"
#include "core/store/index.h"
#include "core/store/key.h"
#include "core/store/ring.h"
#include "core/store/store.h"

namespace lotse::store {

// The cluster's record, at kClusterKey: {"format":1,"id":"…","offset":n}, and "movedTo" once the cluster has left.
struct ClusterRecord {
  std::string id;
  uint64_t offset = 0;
  std::string moved_to;  // the backend where the cluster is now; empty: here
  static Result<ClusterRecord> parse(std::string_view text);
  std::string text() const;
};

class StoreImpl : public Store, public Source {
 public:
  StoreImpl(const lotse_state* state, Clock& clock, Options options);
  ~StoreImpl() override;
  Status open();
  void accept_moved() { accept_moved_ = true; }                              // before open
  Status move_to(StoreImpl& to, int file, const std::string& name);  // move.h

  void commit(Write write, std::function<void(Result<Committed>)> done) override;
  bool close(Duration timeout) override;
  Result<ObjectPtr> get(const Key& key) override;
  bool exists(const Key& key) override;
  Result<ListPage> list(const ListQuery& query) override;
  Result<ListEnd> visit(const ListQuery& query, const Visit& visit) override;
  std::vector<ObjectPtr> owned_by(const std::string& owner_uid, const ResourceName& resource) override;
  std::vector<ObjectPtr> on_node(const std::string& node) override;
  size_t count(const ResourceName& resource, const std::string& ns) override;
  Result<std::unique_ptr<Cursor>> watch(const WatchQuery& query, std::function<void()> wake) override;
  uint64_t revision() const override { return ring_.revision(); }
  void current(Duration timeout, std::function<void(Status)> done) override;
  std::string cluster_id() const override;
  bool shared() const override { return shared_; }
  Status compact(uint64_t revision) override;
  Status backup(int fd) override;
  Status restore(int fd) override;

  Ring& ring() override { return ring_; }
  Result<std::shared_ptr<BackendWatch>> follow(const WatchQuery& query, uint64_t from, OnChanges on_changes,
                                               BackendWatch::OnEnd on_end) override;

 private:
  using Done = std::function<void(Result<Committed>)>;
  struct Pending {
    Write write;
    std::string key;
    std::vector<std::string> guard_keys;
    Done done;
  };
  using Batch = std::vector<std::unique_ptr<Pending>>;
  struct Sent;  // a batch under way

  // commit.cc
  void enqueue(std::unique_ptr<Pending> pending);
  void send(Batch batch);
  void answered(Pending& pending, const lotse_state_outcome& outcome);
  void after(uint64_t backend_revision, std::function<void()> fn);  // once the ring holds it
  Result<Committed> committed(const Pending& pending, uint64_t revision);
  Status refused(const Pending& pending, const lotse_state_outcome& outcome) const;
  void clear_up(Pending& pending);
  Status admit();
  void one_less();
  uint64_t to_backend(uint64_t outward) const;
  uint64_t outward(uint64_t backend) const { return backend + offset_.load(std::memory_order_relaxed); }
  // resources.cc
  std::vector<std::string> unnumbered(const Write& write) const;
  void number(std::vector<std::string> resources, std::unique_ptr<Pending> pending);
  void write_numbers();
  void numbers_written(const lotse_state_outcome& outcome);

  // feed.cc
  Status save_record(const ClusterRecord& record);
  // Record, table, index, ring: everything from the backend. Those who followed the ring come to `left`: they are to list again, once
  // that can be done.
  Status load(std::vector<FollowerPtr>* left);
  static void expire(const std::vector<FollowerPtr>& left);
  Status start_feed();
  void feed(const lotse_state_events& events);
  void feed_ended(const std::shared_ptr<BackendWatch>& which, Status why);
  void resume_feed(bool anew);
  EventPtr event_of(const lotse_state_event& e, bool from_feed);
  Result<ObjectPtr> load_object(std::string_view value, uint64_t backend_revision) const;
  void release_waiters();

  // move.cc
  Status hold();
  void go_on();
  Result<bool> holds_objects() const;

  void ask_current();
  void current_is(Status status, uint64_t revision);

  // read.cc
  template <class Give>
  Result<ListEnd> walk(const ListQuery& query, Give give);
  std::vector<ObjectPtr> read_all(const std::vector<std::string>& keys, const ResourceName& resource);
  // compaction.cc
  void note_change();
  void arm_compaction();
  void compaction_due();

  Backend backend_;
  Clock& clock_;
  const Options options_;
  std::atomic<uint64_t> offset_{0};
  std::atomic<uint64_t> compacted_{0};  // outward: the lowest revision that can be read
  bool fast_reads_ = false, shared_ = false, accept_moved_ = false;
  std::atomic<bool> moved_{false};
  std::atomic<bool> replacing_{false};   // by a restore: revisions mean nothing meanwhile
  mutable std::mutex record_mutex_;
  ClusterRecord record_;
  uint64_t record_revision_ = 0;
  ResourceTable resources_;
  Index index_;
  Ring ring_;

  std::mutex commit_mutex_;
  Batch queue_;
  bool sending_ = false, restoring_ = false, closing_ = false;
  size_t under_way_ = 0;  // not answered yet
  std::condition_variable all_answered_;

  std::mutex number_mutex_;
  std::vector<std::string> numbering_;                   // resources that wait for a number
  std::vector<std::unique_ptr<Pending>> unnumbered_;
  bool writing_numbers_ = false;

  std::mutex waiters_mutex_;
  std::multimap<uint64_t, std::function<void()>> waiters_;  // by outward revision

  std::mutex feed_mutex_;
  std::shared_ptr<BackendWatch> feed_;
  uint64_t fed_ = 0;  // backend revision up to which the feed has come

  // current.cc: one question is under way at a time; who comes meanwhile waits for the next.
  std::mutex current_mutex_;
  std::vector<std::function<void(Status)>> current_asked_, current_wait_;
  Duration current_timeout_{0};

  std::mutex compaction_mutex_;
  bool compaction_armed_ = false;
  uint64_t compaction_mark_ = 0;  // backend revision at the time of arming
  std::shared_ptr<Handle> compaction_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);      // for what happens on the loop
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();     // for the backend's threads and the pool
};

}  // namespace lotse::store
