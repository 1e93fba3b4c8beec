// A watch that a client reads: a cursor of the store turned into events as text, as far as the client has granted credit. All watches
// of a server live on its loop; one timer gives bookmarks to those that want them.
#pragma once
#include <mutex>
#include <unordered_set>

#include "core/api/call.h"
#include "core/base/loop.h"
#include "core/base/stream.h"

namespace lotse::api {

struct WatchPlan {
  store::WatchQuery query;
  std::vector<ObjectPtr> initial;    // sent as ADDED first
  uint64_t initial_revision = 0;
  bool bookmarks = false;
  bool mark_initial_end = false;     // sendInitialEvents: a bookmark with the annotation after them
  Duration lifetime{};
};

class WatchStream;
class WatchRegistry : public std::enable_shared_from_this<WatchRegistry> {
 public:
  explicit WatchRegistry(ServerImpl& server) : server_(server) {}
  void add(std::shared_ptr<WatchStream> watch);      // [loop]
  void remove(const std::shared_ptr<WatchStream>& watch);  // [loop]
  void close();                                      // [any] the server ends
  bool closed() const { return closed_; }

 private:
  void arm();
  void bookmark_all();
  ServerImpl& server_;
  std::unordered_set<std::shared_ptr<WatchStream>> watches_;
  std::shared_ptr<Handle> timer_ = std::make_shared<Handle>();
  bool armed_ = false;
  std::atomic<bool> closed_{false};
};

// Opens the stream; the plan's cursor begins now, so that nothing is lost until the client asks for more.
Result<StreamPtr> open_watch(const CallPtr& call, WatchPlan plan, SinkPtr sink);

}  // namespace lotse::api
