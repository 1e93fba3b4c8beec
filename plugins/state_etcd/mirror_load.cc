// Mirror: how it is filled.
#include <lotse/state/identity.hpp>

#include "lotse/state_etcd/etcd.pb.h"
#include "plugins/state_etcd/mirror.h"

namespace lotse::state_etcd {
namespace {

constexpr int64_t kPage = 500;
constexpr int64_t kRetryFirst = 50'000'000, kRetryMost = 2'000'000'000;

}  // namespace

Mirror::Mirror(Reactor& reactor, EtcdClient& client, const Layout& layout, int64_t timeout_ns, Callbacks callbacks)
    : reactor_(reactor), client_(client), layout_(layout), timeout_ns_(timeout_ns), callbacks_(std::move(callbacks)) {}

void Mirror::start() {
  load();
}

void Mirror::load() {
  retry_timer_ = 0;
  if (stopped_) return;
  uint64_t round = ++round_;
  reload_ = false;
  RangeRequest request;
  request.set_key(layout_.meta_start());
  request.set_range_end(layout_.meta_end());
  client_.call(method::kRange, request, true, timeout_ns_, [this, round](Answer answer) {
    if (round != round_ || stopped_) return;
    RangeResponse response;
    if (!answer.ok()) return load_failed(answer.status.message);
    if (!response.ParseFromString(answer.body)) return load_failed("etcd's answer cannot be read");
    meta_read(response, response.header().revision());
  });
}

void Mirror::meta_read(const RangeResponse& meta, int64_t now) {
  std::optional<Record> record;
  bool exists = false;
  compacted_ = 1;
  for (const KeyValue& kv : meta.kvs()) {
    if (kv.key() == layout_.record()) {
      exists = true;
      record = Record::parse(kv.value());
      if (record) record->written = kv.mod_revision();
    }
    if (kv.key() == layout_.compacted()) compacted_ = strtoull(kv.value().c_str(), nullptr, 10);
  }
  if (!exists) return create_record();
  if (!record) return load_failed("the record of the store, " + layout_.record() + ", is of a format not known here");
  loading_ = *record;
  goal_ = now;
  restoring_.clear();
  compacted_ = std::max(compacted_, loading_.base);
  int64_t lowest = std::max(loading_.etcd_revision(compacted_) - 1, lost_below_);
  int64_t at = std::max(loading_.written, lowest);
  std::unique_ptr<state::Replacement> aside;
  (void)storage_.prepare(aside);
  read_page(std::make_shared<Aside>(std::move(aside)), layout_.data_start(loading_.generation), at, kPage);
}

void Mirror::create_record() {
  Record fresh;
  fresh.id = state::new_identity();
  TxnRequest txn;
  Compare* compare = txn.add_compare();
  compare->set_target(Compare::CREATE);
  compare->set_key(layout_.record());
  compare->set_create_revision(0);
  PutRequest* put = txn.add_success()->mutable_put();
  put->set_key(layout_.record());
  put->set_value(fresh.text());
  // Safe: made twice it changes nothing.
  client_.call(method::kTxn, txn, true, timeout_ns_, [this, round = round_](Answer answer) {
    if (round != round_ || stopped_) return;
    if (!answer.ok()) return load_failed(answer.status.message);
    load();
  });
}

void Mirror::read_page(std::shared_ptr<Aside> into, std::string start, int64_t at, int64_t limit) {
  RangeRequest request;
  request.set_key(start);
  request.set_range_end(layout_.data_end(loading_.generation));
  request.set_revision(at);
  request.set_limit(limit);
  client_.call(method::kRange, request, true, timeout_ns_, [=, this, round = round_](Answer answer) {
    if (round != round_ || stopped_) return;
    if (status_of(answer).code == LOTSE_COMPACTED) return find_lowest();
    if (answer.status.code == GrpcCode::resource_exhausted && limit > 1)
      return read_page(into, start, at, limit / 8 + 1);
    RangeResponse response;
    if (!answer.ok()) return load_failed(answer.status.message);
    if (!response.ParseFromString(answer.body)) return load_failed("etcd's answer cannot be read");
    const size_t skip = layout_.data_start(loading_.generation).size();
    for (const KeyValue& kv : response.kvs()) {
      StoredValue stored;
      if (kv.key().size() <= skip || !StoredValue::parse(kv.value(), stored)) continue;
      std::string key = kv.key().substr(skip);
      uint64_t revision = stored.restored;
      if (revision == 0) revision = loading_.revision(kv.mod_revision(), stored.place);
      if (stored.restored != 0) restoring_[key] = {revision, kv.mod_revision()};
      state::Status added = (*into)->add({key, stored.value, revision, stored.expires_unix_ns});
      if (!added.ok()) return load_failed(added.message);
    }
    if (response.more() && response.kvs_size() > 0) {
      return read_page(into, response.kvs(response.kvs_size() - 1).key() + '\0', at, limit);
    }
    put_in_place(into, at);
  });
}

// Somebody else has compacted etcd: a watch from the beginning tells how far.
void Mirror::find_lowest() {
  WatchRequest request;
  request.mutable_create()->set_key(std::string(1, '\0'));
  request.mutable_create()->set_range_end(std::string(1, '\0'));
  request.mutable_create()->set_start_revision(1);
  GrpcHandler handler;
  handler.on_message = [this, round = round_](std::string_view message) {
    if (round != round_ || stopped_) return;
    WatchResponse response;
    if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
    if (response.compact_revision() == 0) return;
    lost_below_ = response.compact_revision();
    reactor_.post([this] {
      if (stream_) std::exchange(stream_, nullptr)->cancel();
      load();
    });
  };
  handler.on_end = [this, round = round_](const GrpcStatus& status) {
    if (round == round_ && !stopped_) load_failed(status.message);
  };
  stream_ = client_.stream(method::kWatch, request, std::move(handler));
}

void Mirror::put_in_place(std::shared_ptr<Aside> with, int64_t at) {
  const bool again = record_.written != 0;
  record_ = loading_;
  restored_ = std::exchange(restoring_, {});
  uint64_t revision = at == record_.written ? record_.base : record_.revision(at + 1, 0);
  (void)storage_.replace(std::move(*with), revision);
  last_revision_ = revision - 1;
  consumed_ = at;
  place_of_ = 0;
  loaded_ = false;
  if (again) callbacks_.replaced();
  watch();
  if (consumed_ >= goal_) caught_up();
}

void Mirror::load_failed(const std::string& why) {
  if (stopped_ || retry_timer_ != 0) return;
  if (!std::exchange(down_, true)) callbacks_.down(why);
  retry_delay_ = std::clamp(retry_delay_ * 2, kRetryFirst, kRetryMost);
  ++round_;
  retry_timer_ = reactor_.timer(retry_delay_, [this] { load(); });
}

void Mirror::caught_up() {
  if (!loaded_ || down_) {
    // What was compacted lies within the changes that were read.
    if (std::exchange(down_, false)) callbacks_.up();
  }
  retry_delay_ = 0;
  take_compacted(std::to_string(std::max(compacted_, lost_below_ > 0 ? record_.revision(lost_below_ + 1, 0) : 1)));
  loaded_ = true;
  release_waiters();
  for (auto& fn : std::exchange(loaded_waiters_, {})) fn();
}

void Mirror::when_loaded(std::function<void()> fn) {
  if (loaded_ || stopped_) return fn();
  loaded_waiters_.push_back(std::move(fn));
}

}  // namespace lotse::state_etcd
