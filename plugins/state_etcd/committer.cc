#include "plugins/state_etcd/committer.h"

#include "lotse/state_etcd/etcd.pb.h"

namespace lotse::state_etcd {
namespace {

constexpr size_t kComparesMax = 120;        // etcd's limit is 128
constexpr size_t kBatchBytes = 512 * 1024;  // etcd's default limit of a request is 1.5 MiB
constexpr size_t kWaitingBytesMax = 64u << 20;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kLongTtl = 60;               // seconds; keys that live longer share leases
constexpr int64_t kLeaseShared = 2 * kSecond;  // for so long; the lease lives so much longer
constexpr int64_t kNever = INT64_MAX;          // a revision that no key has

bool conditional(const state::Operation& op) {
  return op.expected != LOTSE_STATE_ANY;
}
// Whether it makes a revision is known only afterwards: such a delete has a transaction to itself.
bool alone(const state::Operation& op) {
  return op.kind == LOTSE_STATE_DELETE && (op.expected == LOTSE_STATE_ANY || op.expected == 0);
}
int64_t unix_now_ns() {
  return Reactor::unix_now_ns();
}

}  // namespace

Committer::Committer(Reactor& reactor, EtcdClient& client, Mirror& mirror, const Layout& layout, int64_t timeout_ns,
                     Callbacks callbacks)
    : reactor_(reactor),
      client_(client),
      mirror_(mirror),
      layout_(layout),
      timeout_ns_(timeout_ns),
      callbacks_(std::move(callbacks)) {}

void Committer::submit(const lotse_state_op* ops, size_t count, sdk::CommitDone done) {
  auto commit = std::make_shared<Commit>(Commit{{}, std::vector<lotse_state_outcome>(count), count, std::move(done)});
  size_t bytes = 0;
  const char* at = reinterpret_cast<const char*>(ops);
  commit->operations.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    commit->operations.push_back(state::copy(*reinterpret_cast<const lotse_state_op*>(at + i * ops[0].size)));
    bytes += commit->operations.back().bytes();
  }
  std::lock_guard lock(mutex_);
  if (waiting_ + count > LOTSE_STATE_QUEUE || (waiting_ > 0 && waiting_bytes_ + bytes > kWaitingBytesMax)) {
    reactor_.post([commit] { commit->done.all(LOTSE_BUSY); });
    return;
  }
  waiting_ += count;
  waiting_bytes_ += bytes;
  arrived_.push_back(std::move(commit));
  if (std::exchange(posted_, true)) return;
  reactor_.post([this] { pump(); });
}

void Committer::finish(const Item& item, lotse_state_outcome outcome) {
  Commit& commit = *item.commit;
  commit.outcomes[item.index] = outcome;
  {
    std::lock_guard lock(mutex_);
    --waiting_;
    waiting_bytes_ -= commit.operations[item.index].bytes();
  }
  if (--commit.left == 0) commit.done(commit.outcomes);
}

void Committer::all(Batch& batch, int32_t code) {
  for (const Item& item : batch) finish(item, state::outcome(code));
  batch.clear();
}

void Committer::pump() {
  std::vector<std::shared_ptr<Commit>> arrived;
  {
    std::lock_guard lock(mutex_);
    arrived.swap(arrived_);
    posted_ = false;
  }
  for (auto& commit : arrived) {
    if (commit->operations.empty()) commit->done(commit->outcomes);
    for (size_t i = 0; i < commit->operations.size(); ++i) queue_.push_back({commit, i, Reactor::now_ns()});
  }
  if (stopped_) return all(queue_, LOTSE_UNAVAILABLE);
  if (under_way_ != nullptr || queue_.empty()) return;
  auto batch = std::make_shared<Batch>(gather());
  if (batch->empty()) return;
  under_way_ = batch;
  grant_leases(batch);
}

Committer::Batch Committer::gather() {
  Batch batch;
  written_.clear();
  compares_ = 1;
  bytes_ = 0;
  const int64_t too_old = Reactor::now_ns() - timeout_ns_;
  while (!queue_.empty()) {
    const Item& item = queue_.front();
    if (item.op().refused != LOTSE_OK || (item.since < too_old && progress_ns_ < too_old)) {
      finish(item, state::outcome(item.op().refused != LOTSE_OK ? item.op().refused : LOTSE_UNAVAILABLE));
      queue_.pop_front();
      continue;
    }
    if (!batch.empty() && !fits(batch, item)) break;
    compares_ += item.op().guards.size() + (conditional(item.op()) ? 1 : 0);
    bytes_ += item.op().bytes();
    written_.insert(item.op().key);
    batch.push_back(item);
    queue_.pop_front();
    if (alone(batch.back().op())) break;
  }
  return batch;
}

bool Committer::fits(const Batch& batch, const Item& item) {
  const state::Operation& op = item.op();
  if (alone(op) || batch.size() >= kOperationsMax || bytes_ + op.bytes() > kBatchBytes) return false;
  if (compares_ + op.guards.size() + 1 > kComparesMax || written_.contains(op.key)) return false;
  for (const state::Guard& guard : op.guards) {
    if (written_.contains(guard.key)) return false;
  }
  return true;
}

int64_t Committer::lease_seconds(const state::Operation& op) const {
  return (op.ttl_ns + kSecond - 1) / kSecond;
}

// Events live for an hour and come in crowds: those of the same two seconds share a lease.
void Committer::grant_leases(std::shared_ptr<Batch> batch) {
  for (const Item& item : *batch) {
    if (item.op().ttl_ns == 0) continue;
    const int64_t seconds = lease_seconds(item.op());
    const Lease& lease = leases_[seconds];
    const bool usable = lease.id != 0 && lease.uses < kOperationsMax &&
                        Reactor::now_ns() - lease.granted_ns < (seconds >= kLongTtl ? kLeaseShared : 0);
    if (usable) continue;
    if (lease.id != 0 && lease.uses == 0) continue;  // granted just now, for this batch
    LeaseGrantRequest request;
    request.set_ttl(seconds >= kLongTtl ? seconds + kLeaseShared / kSecond : seconds);
    // Safe: a lease that nobody uses ends by itself.
    client_.call(method::kLeaseGrant, request, true, timeout_ns_, [this, batch, seconds](Answer answer) {
      LeaseGrantResponse response;
      if (!answer.ok() || !response.ParseFromString(answer.body) || response.id() == 0) return failed(*batch, answer);
      leases_[seconds] = {response.id(), Reactor::now_ns(), 0};
      grant_leases(batch);
    });
    return;
  }
  send(batch);
}

int64_t Committer::lease_for(const state::Operation& op) {
  if (op.ttl_ns == 0) return 0;
  Lease& lease = leases_[lease_seconds(op)];
  ++lease.uses;
  return lease.id;
}

void Committer::add_compare(TxnRequest& txn, const std::string& key, uint64_t expected) {
  const std::string stored = layout_.data_start(mirror_.record().generation) + key;
  Compare* compare = txn.add_compare();
  compare->set_target(Compare::MOD);
  compare->set_key(stored);
  int64_t etcd = expected == 0 ? 0 : mirror_.etcd_revision(key, expected);
  compare->set_mod_revision(etcd < 0 ? kNever : etcd);
  RangeRequest* range = txn.add_failure()->mutable_range();
  range->set_key(stored);
  range->set_keys_only(true);
}

void Committer::fill(TxnRequest& txn, const Batch& batch) {
  Compare* same_store = txn.add_compare();
  same_store->set_target(Compare::MOD);
  same_store->set_key(layout_.record());
  same_store->set_mod_revision(mirror_.record().written);
  RangeRequest* record = txn.add_failure()->mutable_range();
  record->set_key(layout_.record());
  record->set_keys_only(true);
  const std::string start = layout_.data_start(mirror_.record().generation);
  uint64_t place = 0;
  for (const Item& item : batch) {
    const state::Operation& op = item.op();
    for (const state::Guard& guard : op.guards) add_compare(txn, guard.key, guard.revision);
    if (conditional(op)) add_compare(txn, op.key, op.expected);
    if (op.kind == LOTSE_STATE_DELETE) {
      txn.add_success()->mutable_delete_range()->set_key(start + op.key);
    } else {
      StoredValue stored;
      stored.place = place;
      stored.value = op.value;
      if (op.ttl_ns > 0) stored.expires_unix_ns = unix_now_ns() + op.ttl_ns;
      PutRequest* put = txn.add_success()->mutable_put();
      put->set_key(start + op.key);
      put->set_value(stored.bytes());
      put->set_lease(lease_for(op));
    }
    ++place;
  }
}

void Committer::send(std::shared_ptr<Batch> batch) {
  if (stopped_) return;
  TxnRequest txn;
  fill(txn, *batch);
  client_.call(method::kTxn, txn, false, timeout_ns_, [this, batch](Answer answer) {
    if (under_way_ != batch) return;
    if (answer.ok()) progress_ns_ = Reactor::now_ns();
    TxnResponse response;
    if (!answer.ok()) return failed(*batch, answer);
    if (!response.ParseFromString(answer.body)) {
      answer.lost = true;
      return failed(*batch, answer);
    }
    under_way_.reset();
    callbacks_.working();
    if (response.succeeded()) {
      succeeded(*batch, response);
    } else {
      refused(*batch, response);
    }
    pump();
  });
}

void Committer::succeeded(const Batch& batch, const TxnResponse& response) {
  const int64_t etcd = response.header().revision();
  uint64_t place = 0;
  auto outcomes = std::make_shared<std::vector<lotse_state_outcome>>();
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto& answer = response.responses(static_cast<int>(i));
    const bool idle = answer.has_delete_range() && answer.delete_range().deleted() == 0;
    outcomes->push_back(state::outcome(LOTSE_OK, idle ? 0 : mirror_.record().revision(etcd, place++)));
  }
  mirror_.after(etcd, [this, batch, outcomes] {
    for (size_t i = 0; i < batch.size(); ++i) finish(batch[i], (*outcomes)[i]);
  });
}

// Which of an operation's conditions did not hold: its guard, or -1. `at` walks along the answers.
bool Committer::conflict(const Item& item, const TxnResponse& response, int& at, int64_t*, int32_t* guard) {
  const state::Operation& op = item.op();
  bool broken = false;
  auto check = [&](const std::string& key, uint64_t expected, int32_t which) {
    const RangeResponse& found = response.responses(at++).range();
    int64_t is = found.kvs_size() == 0 ? 0 : found.kvs(0).mod_revision();
    int64_t should = expected == 0 ? 0 : mirror_.etcd_revision(key, expected);
    if (!broken && is != should) broken = true, *guard = which;
  };
  for (size_t i = 0; i < op.guards.size(); ++i) check(op.guards[i].key, op.guards[i].revision, static_cast<int32_t>(i));
  if (conditional(op)) check(op.key, op.expected, -1);
  return broken;
}

void Committer::refused(Batch& batch, const TxnResponse& response) {
  const int64_t etcd = response.header().revision();
  int at = 0;
  const RangeResponse& record = response.responses(at++).range();
  if (record.kvs_size() == 0 || record.kvs(0).mod_revision() != mirror_.record().written) {
    return all(batch, LOTSE_UNAVAILABLE);  // another store has taken this one's place
  }
  Batch rest;
  for (const Item& item : batch) {
    int32_t guard = -1;
    if (!conflict(item, response, at, nullptr, &guard)) {
      rest.push_back(item);
      continue;
    }
    mirror_.after(etcd, [this, item, guard, etcd] {
      const std::string& key = guard < 0 ? item.op().key : item.op().guards[static_cast<size_t>(guard)].key;
      finish(item, state::outcome(LOTSE_CONFLICT, mirror_.head_at(key, etcd), guard));
    });
  }
  if (rest.size() == batch.size()) return all(batch, LOTSE_UNAVAILABLE);  // etcd refused for no reason
  queue_.insert(queue_.begin(), rest.begin(), rest.end());
}

void Committer::failed(Batch& batch, const Answer& answer) {
  under_way_.reset();
  state::Status status = status_of(answer);
  if (answer.status.code == GrpcCode::not_found) {
    // A lease that had ended: once more with a new one, as long as there is time.
    leases_.clear();
    queue_.insert(queue_.begin(), batch.begin(), batch.end());
    return pump();
  }
  if (status.code == LOTSE_TOO_LARGE && batch.size() > 1) status.code = LOTSE_UNAVAILABLE;
  if (status.code == LOTSE_DENIED) status.code = LOTSE_READ_ONLY;
  if (status.code == LOTSE_COMPACTED) status.code = LOTSE_INTERNAL;
  if (status.code != LOTSE_TOO_LARGE) callbacks_.failing(answer.status.message);
  all(batch, status.code);
  if (!stopped_) pump();
}

void Committer::stop() {
  stopped_ = true;
  if (under_way_) {
    auto batch = std::exchange(under_way_, nullptr);
    all(*batch, LOTSE_UNKNOWN);
  }
  pump();
}

}  // namespace lotse::state_etcd
