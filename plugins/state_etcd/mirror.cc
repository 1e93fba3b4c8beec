// Mirror: how it follows.
#include "plugins/state_etcd/mirror.h"

#include "lotse/state_etcd/etcd.pb.h"

namespace lotse::state_etcd {
namespace {

constexpr int64_t kRetryFirst = 50'000'000, kRetryMost = 2'000'000'000;
constexpr size_t kSweepMax = 1000;

}  // namespace

void Mirror::watch() {
  retry_timer_ = 0;
  if (stopped_) return;
  WatchRequest request;
  WatchCreateRequest* create = request.mutable_create();
  create->set_key(std::string(1, '\0'));
  create->set_range_end(std::string(1, '\0'));  // all keys
  create->set_start_revision(consumed_ + 1);
  create->set_fragment(true);
  GrpcHandler handler;
  handler.on_message = [this, round = round_](std::string_view message) {
    if (round != round_ || stopped_) return;
    WatchResponse response;
    if (response.ParseFromArray(message.data(), static_cast<int>(message.size()))) received(response);
  };
  handler.on_end = [this, round = round_](const GrpcStatus& status) {
    if (round == round_ && !stopped_) watch_ended(status.message);
  };
  stream_ = client_.stream(method::kWatch, request, std::move(handler));
}

void Mirror::watch_ended(const std::string& why) {
  stream_.reset();
  if (retry_timer_ != 0) return;
  // The first try is made at once and elsewhere: a member that ended is no reason for a fault.
  if (retry_delay_ > kRetryFirst && !std::exchange(down_, true)) callbacks_.down(why);
  client_.next_member(why);
  retry_timer_ = reactor_.timer(retry_delay_, [this] { reload_ ? load() : watch(); });
  retry_delay_ = std::clamp(retry_delay_ * 2, kRetryFirst, kRetryMost);
}

void Mirror::received(const WatchResponse& response) {
  if (response.canceled()) {
    if (response.compact_revision() != 0) {
      lost_below_ = response.compact_revision();
      reload_ = true;
    }
    // What follows is on_end's, as after any other end.
    reactor_.post([this, round = round_, why = response.cancel_reason()] {
      if (round != round_ || stopped_ || !stream_) return;
      auto stream = std::exchange(stream_, nullptr);
      stream->cancel();
    });
    return;
  }
  if (response.created()) {
    retry_delay_ = 0;
    if (std::exchange(down_, false)) callbacks_.up();
    return;
  }
  bool replaced = false;
  (void)storage_.begin(0, 0);
  for (const Event& event : response.events()) {
    if (!take(event)) {
      replaced = true;
      break;
    }
  }
  (void)storage_.commit();
  if (replaced) {
    ++round_;
    reactor_.post([this] {
      if (stream_) std::exchange(stream_, nullptr)->cancel();
      load();
    });
    return;
  }
  if (!response.fragment() && response.events_size() > 0) {
    consumed_ = std::max(consumed_, response.events(response.events_size() - 1).kv().mod_revision());
  }
  callbacks_.changed();
  if (!loaded_ && consumed_ >= goal_) caught_up();
  release_waiters();
}

void Mirror::release_waiters() {
  while (loaded_ && !waiters_.empty() && waiters_.begin()->first <= consumed_) {
    auto fn = std::move(waiters_.begin()->second);
    waiters_.erase(waiters_.begin());
    fn();
  }
}

// False: the store has become another one. Within the storage's transaction.
bool Mirror::take(const Event& event) {
  const KeyValue& kv = event.kv();
  const bool put = event.type() == Event::PUT;
  if (kv.key() == layout_.record()) return kv.mod_revision() <= record_.written;
  if (kv.key() == layout_.compacted() && put) {
    // Not within this transaction, which a sweep has of its own.
    reactor_.post([this, value = kv.value()] { take_compacted(value); });
    return true;
  }
  const std::string start = layout_.data_start(record_.generation);
  if (kv.key().size() <= start.size() || kv.key().compare(0, start.size(), start) != 0) return true;
  if (kv.mod_revision() != place_of_) place_of_ = kv.mod_revision(), next_place_ = 0;
  StoredValue stored;
  if (put && !StoredValue::parse(kv.value(), stored)) return true;  // nobody's
  const uint64_t place = put ? stored.place : next_place_;
  next_place_ = place + 1;
  const uint64_t revision = record_.revision(kv.mod_revision(), place);
  if (revision <= last_revision_) return true;  // seen before the watch was made anew
  const std::string key = kv.key().substr(start.size());
  state::Change change;
  change.kind = put ? LOTSE_STATE_PUT : LOTSE_STATE_DELETE;
  change.revision = revision;
  change.key = key;
  change.value = stored.value;
  change.previous = storage_.head(key);
  change.expires_unix_ns = stored.expires_unix_ns;
  if (!put && change.previous == 0) return true;
  storage_.apply(change);
  last_revision_ = revision;
  if (!restored_.empty()) restored_.erase(key);
  return true;
}

void Mirror::take_compacted(std::string_view value) {
  uint64_t revision = strtoull(std::string(value).c_str(), nullptr, 10);
  state::Facts facts;
  (void)storage_.facts(facts);
  if (revision <= facts.compacted) return;
  (void)storage_.begin(0, 0);
  storage_.set_compacted(revision);
  (void)storage_.commit();
  compacted_ = revision;
  callbacks_.changed();
  sweep();
}

// In small steps, so that readers are never kept out for long.
void Mirror::sweep() {
  if (std::exchange(sweeping_, true)) return;
  reactor_.post([this] {
    sweeping_ = false;
    if (stopped_) return;
    state::Facts facts;
    (void)storage_.facts(facts);
    uint64_t until = facts.compacted;
    for (uint64_t pin : pins_) until = std::min(until, pin);
    if (facts.swept >= until) return;
    (void)storage_.begin(0, 0);
    storage_.sweep(until, kSweepMax);
    (void)storage_.commit();
    sweep();
  });
}

void Mirror::unpin(uint64_t revision) {
  auto found = std::find(pins_.begin(), pins_.end(), revision);
  if (found != pins_.end()) pins_.erase(found);
  sweep();
}

void Mirror::after(int64_t etcd_revision, std::function<void()> fn) {
  if (stopped_ || (loaded_ && etcd_revision <= consumed_)) return fn();
  waiters_.emplace(etcd_revision, std::move(fn));
}

int64_t Mirror::etcd_revision(const std::string& key, uint64_t revision) {
  if (revision <= record_.base) {
    auto found = restored_.find(key);
    return found != restored_.end() && found->second.first == revision ? found->second.second : -1;
  }
  int64_t etcd = record_.etcd_revision(revision);
  if (etcd <= consumed_) {
    // All versions of that transaction are here: a number that none of them has is nobody's.
    uint64_t head = storage_.head(key);
    if (record_.etcd_revision(head) == etcd && head != revision) return -1;
  }
  return etcd;
}

uint64_t Mirror::head_at(const std::string& key, int64_t etcd_revision) {
  state::Facts facts;
  (void)storage_.facts(facts);
  state::RangeQuery query;
  const std::string end = key + '\0';
  query.start = key;
  query.end = end;
  query.limit = 1;
  query.keys_only = true;
  query.revision = std::min(facts.revision, record_.revision(etcd_revision, kPlaces - 1));
  if (query.revision < facts.compacted) query.revision = 0;
  uint64_t found = 0;
  state::RangeEnd ignored;
  (void)storage_.range(
      query,
      [&](const state::Entry& entry) {
        found = entry.revision;
        return false;
      },
      ignored);
  return found;
}

void Mirror::stop() {
  stopped_ = true;
  reactor_.timer_stop(retry_timer_);
  if (stream_) std::exchange(stream_, nullptr)->cancel();
  auto waiters = std::exchange(waiters_, {});
  for (auto& [revision, fn] : waiters) fn();
  for (auto& fn : std::exchange(loaded_waiters_, {})) fn();
}

}  // namespace lotse::state_etcd
