// Backup, from the mirror; restore, into the next generation.
#include <lotse/state/backup_file.hpp>
#include <lotse/state/identity.hpp>

#include "lotse/state_etcd/etcd.pb.h"
#include "plugins/state_etcd/etcd_state.h"

namespace lotse::state_etcd {
namespace {

constexpr size_t kBatchBytes = 512 * 1024;
// How many revisions a restore leaves out, so that who waits for the one after the last is told to start again.
constexpr uint64_t kRestoreGap = 2;

void need(const state::Status& status) {
  if (!status.ok()) throw sdk::Failure(status.code, status.message);
}

}  // namespace

void EtcdState::backup(int fd) {
  wait_current();
  state::Facts facts;
  std::string identity;
  reactor_.run([&] {
    (void)mirror_.storage().facts(facts);
    identity = mirror_.record().id;
    mirror_.pin(facts.revision);
  });
  state::BackupWriter file(fd);
  file.head(facts.revision, identity, Reactor::unix_now_ns());
  state::Status status = state::write_entries(file, mirror_.storage(), facts.revision);
  reactor_.run([&] { mirror_.unpin(facts.revision); });
  need(status.ok() ? file.foot() : status);
}

// The entries on their way into a generation that nobody reads yet.
class EtcdState::Filling {
 public:
  Filling(EtcdState& store, Record record) : store_(store), record_(std::move(record)) { clear(); }
  void add(const state::Entry& entry) {
    if (entries_ > 0 && bytes_ + entry.key.size() + entry.value.size() > kBatchBytes) send();
    StoredValue stored;
    stored.restored = entry.revision;
    stored.expires_unix_ns = entry.expires_unix_ns;
    stored.value = entry.value;
    PutRequest* put = txn_.add_success()->mutable_put();
    put->set_key(store_.layout_.data_start(record_.generation) + std::string(entry.key));
    put->set_value(stored.bytes());
    if (entry.expires_unix_ns != 0) put->set_lease(lease(entry.expires_unix_ns));
    bytes_ += entry.key.size() + entry.value.size();
    if (++entries_ == kOperationsMax) send();
  }
  // The moment at which the store becomes the new one. etcd's revision of it.
  int64_t put_in_place(uint64_t above) {
    send();
    RangeRequest look;
    look.set_key(store_.layout_.record());
    RangeResponse found;
    Answer answer = store_.wait_call(method::kRange, look, true);
    need(status_of(answer));
    if (!found.ParseFromString(answer.body)) throw sdk::Failure(LOTSE_INTERNAL, "etcd's answer cannot be read");
    const auto reached = static_cast<uint64_t>(found.header().revision()) * kPlaces;
    record_.base = above + kRestoreGap;
    if (record_.base > reached) record_.offset = std::max(record_.offset, record_.base - reached);
    record_.id = state::new_identity();
    begin();
    PutRequest* put = txn_.add_success()->mutable_put();
    put->set_key(store_.layout_.record());
    put->set_value(record_.text());
    return send();
  }
  void clear() {
    DeleteRangeRequest request;
    request.set_key(store_.layout_.data_start(record_.generation));
    request.set_range_end(store_.layout_.data_end(record_.generation));
    need(status_of(store_.wait_call(method::kDeleteRange, request, true)));
  }

 private:
  void begin() {
    txn_.Clear();
    entries_ = bytes_ = 0;
  }
  int64_t send() {
    if (txn_.success_size() == 0) return 0;
    Compare* same_store = txn_.add_compare();
    same_store->set_target(Compare::MOD);
    same_store->set_key(store_.layout_.record());
    same_store->set_mod_revision(record_.written);
    // Safe: made twice it is the same, and the record is compared.
    Answer answer = store_.wait_call(method::kTxn, txn_, true);
    need(status_of(answer));
    TxnResponse done;
    if (!done.ParseFromString(answer.body)) throw sdk::Failure(LOTSE_INTERNAL, "etcd's answer cannot be read");
    const bool record = txn_.success(0).put().key() == store_.layout_.record();
    if (!done.succeeded() && !(record && is_ours())) {
      throw sdk::Failure(LOTSE_CONFLICT, "somebody else has restored the store at the same time");
    }
    begin();
    return done.header().revision();
  }
  // The answer to the first attempt may have been lost.
  bool is_ours() {
    RangeRequest look;
    look.set_key(store_.layout_.record());
    RangeResponse found;
    Answer answer = store_.wait_call(method::kRange, look, true);
    return answer.ok() && found.ParseFromString(answer.body) && found.kvs_size() > 0 &&
           found.kvs(0).value() == record_.text();
  }
  int64_t lease(int64_t expires_unix_ns) {
    LeaseGrantRequest request;
    request.set_ttl(std::max<int64_t>(1, (expires_unix_ns - Reactor::unix_now_ns() + 999'999'999) / 1'000'000'000));
    LeaseGrantResponse response;
    Answer answer = store_.wait_call(method::kLeaseGrant, request, true);
    need(status_of(answer));
    if (!response.ParseFromString(answer.body)) throw sdk::Failure(LOTSE_INTERNAL, "etcd's answer cannot be read");
    return response.id();
  }

  EtcdState& store_;
  Record record_;
  TxnRequest txn_;
  size_t entries_ = 0, bytes_ = 0;
};

void EtcdState::restore(int fd, uint64_t floor) {
  state::BackupReader file(fd);
  uint64_t revision = 0;
  need(file.head(revision));
  const uint64_t now = wait_current();
  const uint64_t above = std::max({floor, revision, now});
  if (above > UINT64_MAX / 2) throw sdk::Failure(LOTSE_INVALID, "the revision floor is beyond all bounds");
  Record next = record();
  const uint64_t old_generation = next.generation;
  next.generation = old_generation + 1;
  Filling filling(*this, next);
  int64_t at = 0;
  try {
    std::set<uint64_t> seen;
    for (;;) {
      state::Entry entry;
      bool end = false;
      need(file.next(entry, end));
      if (end) break;
      if (!seen.insert(entry.revision).second) {
        throw sdk::Failure(LOTSE_INVALID, "the backup cannot be used: two of its keys share a revision");
      }
      filling.add(entry);
    }
    at = filling.put_in_place(above);
  } catch (const sdk::Failure&) {
    if (record().generation == old_generation) filling.clear();
    throw;
  }
  wait_mirror(at);
  next.generation = old_generation;
  Filling(*this, next);  // takes the old one away
}

}  // namespace lotse::state_etcd
