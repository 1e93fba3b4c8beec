// Changes on their way to etcd.
//
// Operations that wait go together into one transaction of etcd, which all of them pass or none: guards and expected
// revisions become its compares, so an operation can be in it only if it touches no key that one before it writes. When
// it does not pass, etcd says in the same step what the keys' revisions are: those operations whose own conditions
// failed are answered with CONFLICT, the others go into the next transaction. One transaction is under way at a time:
// etcd handles the calls of one connection side by side and in no order, and the contract promises one. Throughput
// comes from the company that gathers meanwhile, as with any group commit.
//
// Answers wait until the mirror has taken the transaction in: whoever reads after an answer sees it.
//
// Threads: submit from any thread, everything else on the reactor's.
#pragma once
#include <deque>
#include <lotse/state.hpp>
#include <lotse/state/operations.hpp>
#include <set>

#include "plugins/state_etcd/mirror.h"

namespace lotse::state_etcd {

class TxnRequest;
class TxnResponse;

class Committer {
 public:
  struct Callbacks {
    std::function<void(const std::string&)> failing;  // a change could not be made, or nobody knows
    std::function<void()> working;
  };
  Committer(Reactor& reactor, EtcdClient& client, Mirror& mirror, const Layout& layout, int64_t timeout_ns,
            Callbacks callbacks);

  void submit(const lotse_state_op* ops, size_t count, sdk::CommitDone done);
  void stop();  // answers everything

 private:
  struct Commit {
    std::vector<state::Operation> operations;
    std::vector<lotse_state_outcome> outcomes;
    size_t left = 0;
    sdk::CommitDone done;
  };
  struct Item {
    std::shared_ptr<Commit> commit;
    size_t index = 0;
    int64_t since = 0;
    const state::Operation& op() const { return commit->operations[index]; }
  };
  using Batch = std::deque<Item>;
  struct Lease {
    int64_t id = 0;
    int64_t granted_ns = 0;
    size_t uses = 0;
  };

  void pump();
  Batch gather();
  bool fits(const Batch& batch, const Item& item);
  void grant_leases(std::shared_ptr<Batch> batch);
  void send(std::shared_ptr<Batch> batch);
  void fill(TxnRequest& txn, const Batch& batch);
  void add_compare(TxnRequest& txn, const std::string& key, uint64_t expected);
  int64_t lease_for(const state::Operation& op);
  void succeeded(const Batch& batch, const TxnResponse& response);
  void refused(Batch& batch, const TxnResponse& response);
  bool conflict(const Item& item, const TxnResponse& response, int& at, int64_t* found_key_at, int32_t* guard);
  void failed(Batch& batch, const Answer& answer);
  void finish(const Item& item, lotse_state_outcome outcome);
  void all(Batch& batch, int32_t code);
  int64_t lease_seconds(const state::Operation& op) const;

  Reactor& reactor_;
  EtcdClient& client_;
  Mirror& mirror_;
  const Layout layout_;
  const int64_t timeout_ns_;
  Callbacks callbacks_;

  std::mutex mutex_;
  size_t waiting_ = 0, waiting_bytes_ = 0;  // under the mutex, like these two
  std::vector<std::shared_ptr<Commit>> arrived_;
  bool posted_ = false;

  Batch queue_;
  std::shared_ptr<Batch> under_way_;
  std::map<int64_t, Lease> leases_;  // by seconds
  int64_t progress_ns_ = 0;          // when etcd last answered
  bool stopped_ = false;
  // Of the batch that is being gathered.
  std::set<std::string_view> written_;
  size_t compares_ = 0, bytes_ = 0;
};

}  // namespace lotse::state_etcd
