// The store as this process knows it: all that can still be read, in memory, kept up to date by one watch of etcd.
//
// Loading: the data as it was at the lowest revision that can be read, then every change since by the watch, up to
// what a quorum had when the loading began. So ranges at old revisions and watches from old revisions are served from
// here as well, and none of them asks the network. The watch goes over all keys of etcd, because only a change tells
// how far it has come: etcd 3.4 has no progress messages that could be relied upon.
//
// Threads: everything on the reactor's thread, but storage(), which readers use at any time.
#pragma once
#include <map>
#include <unordered_map>

#include "plugins/state_etcd/etcd_client.h"
#include "plugins/state_etcd/layout.h"
#include "plugins/state_memory/memory_storage.h"

namespace lotse::state_etcd {

class RangeResponse;
class WatchResponse;
class Event;

class Mirror {
 public:
  struct Callbacks {
    std::function<void()> changed;                 // something was added
    std::function<void()> replaced;                // everything is another: watches must end
    std::function<void(const std::string&)> down;  // the watch does not come about (once)
    std::function<void()> up;
  };
  Mirror(Reactor& reactor, EtcdClient& client, const Layout& layout, int64_t timeout_ns, Callbacks callbacks);

  void start();
  void stop();  // calls whoever waits
  bool loaded() const { return loaded_; }

  const Record& record() const { return record_; }
  state::Storage& storage() { return storage_; }
  // Calls fn once everything up to etcd's revision has been taken in (or the mirror has stopped).
  void after(int64_t etcd_revision, std::function<void()> fn);
  void when_loaded(std::function<void()> fn);

  // etcd's revision of a version of a key, for a compare; -1: there is none that could have it.
  int64_t etcd_revision(const std::string& key, uint64_t revision);
  // The key's revision as it was at this revision of etcd; 0: not there.
  uint64_t head_at(const std::string& key, int64_t etcd_revision);

  // Holds a revision against the sweep.
  void pin(uint64_t revision) { pins_.push_back(revision); }
  void unpin(uint64_t revision);

 private:
  using Aside = std::unique_ptr<state::Replacement>;
  void load();
  void meta_read(const RangeResponse& meta, int64_t now);
  void create_record();
  void read_page(std::shared_ptr<Aside> into, std::string start, int64_t at, int64_t limit);
  void find_lowest();
  void put_in_place(std::shared_ptr<Aside> with, int64_t at);
  void load_failed(const std::string& why);
  void watch();
  void received(const WatchResponse& response);
  bool take(const Event& event);
  void take_compacted(std::string_view value);
  void watch_ended(const std::string& why);
  void caught_up();
  void release_waiters();
  void sweep();

  Reactor& reactor_;
  EtcdClient& client_;
  const Layout layout_;
  const int64_t timeout_ns_;
  Callbacks callbacks_;
  state_memory::MemoryStorage storage_{UINT64_MAX};
  Record record_, loading_;
  uint64_t compacted_ = 1;  // as the store says
  int64_t lost_below_ = 0;  // etcd compacted by others: nothing below can be read
  int64_t goal_ = 0;        // what a quorum had when loading began
  int64_t consumed_ = 0;    // etcd's revision up to which everything is here
  int64_t place_of_ = 0;    // the transaction whose changes are being counted
  uint64_t next_place_ = 0;
  uint64_t last_revision_ = 0;
  std::unordered_map<std::string, std::pair<uint64_t, int64_t>> restored_;  // key: revision, etcd's
  std::unordered_map<std::string, std::pair<uint64_t, int64_t>> restoring_;
  std::shared_ptr<GrpcStream> stream_;
  uint64_t round_ = 0;  // answers of an earlier loading are not listened to
  uint64_t retry_timer_ = 0;
  int64_t retry_delay_ = 0;
  bool loaded_ = false, down_ = false, stopped_ = false, sweeping_ = false, reload_ = false;
  std::multimap<int64_t, std::function<void()>> waiters_;
  std::vector<std::function<void()>> loaded_waiters_;
  std::vector<uint64_t> pins_;
};

}  // namespace lotse::state_etcd
