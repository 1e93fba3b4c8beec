// The instance: what answers from the mirror, what goes to etcd, and how the two are joined.
//
// Threads: "etcd" (the reactor: connections, mirror, changes) and "store watch" (watches, from the mirror). Neither
// wakes while nothing happens. Ranges run on the caller's thread and touch memory only; info, compact, backup and
// restore wait for etcd on the caller's.
#pragma once
#include <lotse/abi/state_current.h>

#include <lotse/state.hpp>
#include <lotse/state/watchers.hpp>

#include "plugins/state_etcd/committer.h"

namespace lotse::state_etcd {

class EtcdState : public sdk::State {
 public:
  EtcdState(const sdk::Host& host, const sdk::Config& config);
  ~EtcdState() override;
  static std::vector<lotse_key> keys() { return Settings::keys(); }

  const void* extension(std::string_view id) override;
  void commit(const lotse_state_op* ops, size_t count, sdk::CommitDone done) override;
  void range(const lotse_state_range& range, const std::function<bool(const lotse_state_entry&)>& on_entry,
             lotse_state_range_result* result) override;
  void info(lotse_state_info* info) override;
  void compact(uint64_t revision) override;
  void backup(int fd) override;
  void restore(int fd, uint64_t floor) override;

 private:
  class Filling;
  using Current = std::function<void(state::Status, uint64_t revision)>;
  void stop();
  void wait_loaded();
  void tell(bool& state, bool now, const char* reason, const std::string& sentence);
  void current(int64_t timeout_ns, Current done);
  uint64_t wait_current();
  Record record();
  Answer wait_call(const char* method, const google::protobuf::MessageLite& request, bool safe);
  void wait_mirror(int64_t etcd_revision);
  int64_t mark_compacted(uint64_t revision);
  void measure();

  Settings settings_;
  Layout layout_;
  container_engine::Reactor reactor_{"etcd"};
  EtcdClient client_;
  Mirror mirror_;
  state::Watchers watchers_;
  Committer committer_;
  lotse_state_watch watch_{};
  lotse_state_current current_{};
  std::mutex down_mutex_;
  std::string down_;                             // why etcd cannot be reached
  bool unreachable_ = false, refusing_ = false;  // the reactor's
  std::atomic<uint64_t> bytes_used_{0};
};

}  // namespace lotse::state_etcd
