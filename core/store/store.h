// Store: every change, every read and every watch of the cluster's objects, over a state plugin.
//
// Revisions outside this room are *outward* ones: the backend's plus the offset of the cluster's record, so that a
// restored or moved cluster never travels back (architecture, "One object, one form").
//
// Threads: all functions may be called from any thread. Callbacks come on a thread of the store or the backend and must
// return soon: post to your own loop.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/loop.h"
#include "core/base/result.h"
#include "core/object/object.h"
#include "core/object/selector.h"

namespace lotse {
namespace plugin { class StatePlugin; }
namespace store {

// "deployments.apps", "pods": group and plural, without a version, as one stored object serves all versions.
using ResourceName = std::string;

struct Key {
  ResourceName resource{};
  std::string ns{}, name{};  // ns empty: cluster-scoped
  friend bool operator==(const Key&, const Key&) = default;
  friend auto operator<=>(const Key&, const Key&) = default;
};

inline constexpr uint64_t kAny = UINT64_MAX;

struct Guard { Key key; uint64_t revision; };  // 0: must not exist

enum class Op : uint8_t { kPut, kDelete };

// One change. Reservations (service IPs, node ports, leases of leadership) are objects of internal resources whose names begin
// with "lotse/": they are stored and guarded in the same way and are never served.
struct Write {
  Op op = Op::kPut;
  Key key;
  ObjectPtr object;             // kPut
  uint64_t expected = kAny;     // outward revision; 0: must not exist
  std::vector<Guard> guards;
  Duration ttl{0};              // events
  bool relaxed = false;         // durable with the next batch (Lease renewals)
};

struct Committed {
  uint64_t revision = 0;        // outward
  ObjectPtr object;             // kPut: with its revision; kDelete: what was there, with the revision of the deletion
};

struct Event {
  enum class Type : uint8_t { kAdded, kModified, kDeleted } type;
  uint64_t revision;
  Key key;
  ObjectPtr object;    // kDeleted: what was there, with the deletion's revision
  ObjectPtr previous;  // null: none
};

struct ListQuery {
  ResourceName resource{};
  std::string ns{};            // empty: all
  LabelSelector labels{};
  FieldSelector fields{};
  uint64_t revision = 0;      // exact; 0: now
  size_t limit = 0;           // 0: all
  std::string after_ns{}, after_name{};  // continue after this key (exclusive)
};
struct ListPage {
  std::vector<ObjectPtr> items;  // in key order
  uint64_t revision = 0;
  bool more = false;
  int64_t remaining = -1;        // an estimate where it is cheap, else -1
};

// What a list has passed over, and where it ended.
struct ListEnd {
  uint64_t revision = 0;
  bool more = false;
  int64_t remaining = -1;        // as above
  size_t count = 0;
  std::string last_ns, last_name;  // of the last object that was given
};
// A stored object as it lies in the backend, borrowed until the visitor returns: canonical bytes and the revision that belongs to them.
using Visit = std::function<void(std::string_view canonical, uint64_t revision)>;

struct WatchQuery {
  ResourceName resource{};      // empty: everything (controllers, agents)
  std::string ns{};
  std::string name{};          // metadata.name=...; empty: all
  LabelSelector labels{};
  FieldSelector fields{};
  uint64_t from = 0;          // changes after this outward revision; 0: from now
};

// A cursor. next() gives what is there and never blocks; wake is called (once, from any thread) when there is more after
// next() had given nothing; it may still come once while, or just after, the cursor is destroyed. A selector turns changes into kAdded and kDeleted as objects begin and cease to match.
class Cursor {
 public:
  virtual ~Cursor() = default;
  // Up to max events; ends with kExpired when its revision has been compacted.
  virtual Result<std::vector<Event>> next(size_t max) = 0;
  // Everything up to here has been given by next (for bookmarks).
  virtual uint64_t progress() const = 0;
};

struct Options {
  Duration compaction_window = std::chrono::minutes(5);
  size_t ring_bytes_max = 16u << 20;
  // Where timers run (compaction, reopening the backend's watch) and what may block; both outlive the store. Without a
  // loop nothing is compacted unless compact is called.
  Loop* loop = nullptr;
  WorkerPool* pool = nullptr;
};

class Store {
 public:
  virtual ~Store() = default;
  // Reads the index (keys and headers) from the backend. Blocks; [init].
  static Result<std::unique_ptr<Store>> open(plugin::StatePlugin& backend, Clock& clock, Options options);

  // done comes once the ring holds the change, so that whoever reads after it sees it. Reasons: kConflict (expected),
  // kAlreadyExists (expected 0), kNotFound (expected a revision, but it is gone), kConflict with group "guard" (a guard),
  // kInsufficientStorage, kServiceUnavailable, kTooManyRequests (queue full). An unknown outcome is cleared up here.
  virtual void commit(Write write, std::function<void(Result<Committed>)> done) = 0;
  // The end is near: new commits are refused with kServiceUnavailable, those under way are waited for, so that each is answered while
  // whoever asked is still there. false: some were not within the time; what is not answered by the destructor never is. Not on the loop.
  virtual bool close(Duration timeout) = 0;
  virtual Result<ObjectPtr> get(const Key& key) = 0;  // kNotFound
  virtual bool exists(const Key& key) = 0;            // from the index
  virtual Result<ListPage> list(const ListQuery& query) = 0;  // kExpired
  // The same without making objects: for what goes out as it lies. A failure may come after some have been given.
  virtual Result<ListEnd> visit(const ListQuery& query, const Visit& visit) = 0;
  // By index: objects of a resource (or of all: "") with an owner uid; pods of a node. In key order.
  virtual std::vector<ObjectPtr> owned_by(const std::string& owner_uid, const ResourceName& resource) = 0;
  virtual std::vector<ObjectPtr> on_node(const std::string& node) = 0;
  virtual size_t count(const ResourceName& resource, const std::string& ns) = 0;  // from the index
  virtual Result<std::unique_ptr<Cursor>> watch(const WatchQuery& query, std::function<void()> wake) = 0;
  virtual uint64_t revision() const = 0;   // current, outward
  // Where others write too: done comes once what is read here is not older than anything that anybody was answered before this call, or
  // says that nobody can tell (kServiceUnavailable). At once where the store is this process's own.
  virtual void current(Duration timeout, std::function<void(Status)> done) = 0;
  virtual std::string cluster_id() const = 0;
  // Whether other masters may write to the same backend. If not, this process is the only one for as long as it has the store open.
  virtual bool shared() const = 0;
  // [worker] Forgets what is older than this outward revision.
  virtual Status compact(uint64_t revision) = 0;
  // [worker] Whole backups; restore raises the offset so that every client lists again.
  virtual Status backup(int fd) = 0;
  virtual Status restore(int fd) = 0;
};

// Blocks until the commit is answered. For start-up and tests only.
Result<Committed> commit_and_wait(Store& store, Write write);

}  // namespace store
}  // namespace lotse
