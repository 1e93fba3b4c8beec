#include "plugins/state_etcd/etcd_state.h"

#include <google/protobuf/message_lite.h>

#include <condition_variable>
#include <lotse/state/backup_file.hpp>

#include "lotse/state_etcd/etcd.pb.h"

namespace lotse::state_etcd {
namespace {

constexpr char kFault[] = "store";

void need(const state::Status& status) {
  if (!status.ok()) throw sdk::Failure(status.code, status.message);
}

Settings resolved(Settings settings) {
  std::string why;
  size_t known = 0;
  for (Endpoint& e : settings.endpoints) known += resolve(e, &why) ? 1 : 0;
  if (known == 0) throw sdk::Failure(LOTSE_UNAVAILABLE, "no address is known for any of etcd's endpoints: " + why);
  return settings;
}

// What a caller's thread waits for. Shared with who answers, which may be after the caller has given up.
template <class T>
class Waited {
 public:
  void set(T value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    ready_.notify_all();
  }
  bool wait(int64_t timeout_ns) {
    std::unique_lock lock(mutex_);
    return ready_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [this] { return value_.has_value(); });
  }
  T take() {
    std::lock_guard lock(mutex_);
    return std::move(*value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<T> value_;
};

}  // namespace

EtcdState::EtcdState(const sdk::Host& host, const sdk::Config& config)
    : State(host, {.watch = false, .backup = true}),
      settings_(resolved(Settings::read(config))),
      layout_(settings_.prefix),
      client_(reactor_, settings_),
      mirror_(reactor_, client_, layout_, settings_.timeout_ns,
              {[this] { watchers_.changed(); }, [this] { watchers_.end_all(); },
               [this](const std::string& why) {
                 std::lock_guard lock(down_mutex_);
                 down_ = why;
                 tell(unreachable_, true, "Unreachable", "etcd cannot be reached: " + why);
               },
               [this] { tell(unreachable_, false, "", ""); }}),
      watchers_(mirror_.storage()),
      committer_(reactor_, client_, mirror_, layout_, settings_.timeout_ns,
                 {[this](const std::string& why) {
                    tell(refusing_, true, "NotAnswering", "etcd does not take changes: " + why);
                  },
                  [this] { tell(refusing_, false, "", ""); }}) {
  watch_.size = sizeof watch_;
  watch_.open = [](void* self, lotse_bytes start, lotse_bytes end, uint64_t from, const lotse_stream_sink* sink,
                   lotse_stream* stream, lotse_error* error) {
    return sdk::guarded("watch", error, [&] {
      need(as<EtcdState>(self)->watchers_.open(state::view(start), state::view(end), from, *sink, *stream));
    });
  };
  current_.size = sizeof current_;
  current_.ask = [](void* self, int64_t timeout_ns, void (*done)(void*, int32_t, uint64_t), void* ctx) {
    auto* state = as<EtcdState>(self);
    state->reactor_.post([=] {
      state->current(timeout_ns, [=](state::Status status, uint64_t revision) { done(ctx, status.code, revision); });
    });
  };
  watchers_.start();
  reactor_.start();
  wait_loaded();
}

void EtcdState::tell(bool& state, bool now, const char* reason, const std::string& sentence) {
  if (std::exchange(state, now) == now) return;
  if (now) {
    host().raise_fault(kFault, reason, sentence);
  } else if (!unreachable_ && !refusing_) {
    host().clear_fault(kFault);
  }
}

EtcdState::~EtcdState() {
  stop();
}

void EtcdState::stop() {
  reactor_.run([this] {
    committer_.stop();
    mirror_.stop();
    client_.close();
  });
  watchers_.stop();
  reactor_.stop();
}

void EtcdState::wait_loaded() {
  auto loaded = std::make_shared<Waited<bool>>();
  reactor_.post([this, loaded] {
    mirror_.when_loaded([loaded] { loaded->set(true); });
    mirror_.start();
  });
  if (loaded->wait(2 * settings_.timeout_ns)) return;
  stop();
  std::lock_guard lock(down_mutex_);
  throw sdk::Failure(LOTSE_UNAVAILABLE, "the store in etcd could not be loaded: " +
                                            (down_.empty() ? std::string("etcd does not answer in time") : down_));
}

const void* EtcdState::extension(std::string_view id) {
  if (id == LOTSE_STATE_WATCH) return &watch_;
  if (id == LOTSE_STATE_CURRENT) return &current_;
  return State::extension(id);
}

void EtcdState::commit(const lotse_state_op* ops, size_t count, sdk::CommitDone done) {
  committer_.submit(ops, count, std::move(done));
}

void EtcdState::range(const lotse_state_range& range, const std::function<bool(const lotse_state_entry&)>& on_entry,
                      lotse_state_range_result* result) {
  state::RangeQuery query;
  query.start = state::view(range.start);
  query.end = state::view(range.end);
  query.revision = range.revision;
  query.limit = range.limit;
  query.keys_only = range.keys_only != 0;
  state::RangeEnd end;
  need(mirror_.storage().range(
      query,
      [&](const state::Entry& entry) {
        lotse_state_entry out{};
        out.size = sizeof out;
        out.key = {entry.key.data(), entry.key.size()};
        out.value = {entry.value.data(), entry.value.size()};
        out.revision = entry.revision;
        return on_entry(out);
      },
      end));
  result->more = end.more ? 1 : 0;
  result->revision = end.revision;
}

// A quorum says where etcd is; once the mirror is there too, its revision is at least that of all that was ever
// answered.
void EtcdState::current(int64_t timeout_ns, Current done) {
  RangeRequest request;
  request.set_key(layout_.record());
  request.set_keys_only(true);
  client_.call(method::kRange, request, true, timeout_ns, [this, timeout_ns, done](Answer answer) {
    RangeResponse response;
    if (!answer.ok()) return done(status_of(answer), 0);
    if (!response.ParseFromString(answer.body)) return done({LOTSE_INTERNAL, "etcd's answer cannot be read"}, 0);
    struct Once {
      Current done;
      uint64_t timer = 0;
    };
    auto once = std::make_shared<Once>(Once{done});
    once->timer = reactor_.timer(timeout_ns, [once] {
      if (auto fn = std::exchange(once->done, nullptr)) fn({LOTSE_UNAVAILABLE, "the watch of etcd lags behind"}, 0);
    });
    mirror_.after(response.header().revision(), [this, once] {
      auto fn = std::exchange(once->done, nullptr);
      if (!fn) return;
      reactor_.timer_stop(once->timer);
      state::Facts facts;
      (void)mirror_.storage().facts(facts);
      fn({}, facts.revision);
    });
  });
}

uint64_t EtcdState::wait_current() {
  auto waited = std::make_shared<Waited<std::pair<state::Status, uint64_t>>>();
  reactor_.post([this, waited] {
    current(settings_.timeout_ns, [waited](state::Status status, uint64_t revision) {
      waited->set({std::move(status), revision});
    });
  });
  if (!waited->wait(3 * settings_.timeout_ns)) throw sdk::Failure(LOTSE_UNAVAILABLE, "etcd does not answer in time");
  auto [status, revision] = waited->take();
  need(status);
  return revision;
}

void EtcdState::info(lotse_state_info* info) {
  wait_current();
  state::Facts facts;
  need(mirror_.storage().facts(facts));
  info->fast_reads = 1;
  info->revision = facts.revision;
  info->compacted = facts.compacted;
  if (bytes_used_ == 0) measure();
  info->bytes_used = bytes_used_;
  info->bytes_limit = 0;
  const std::string identity = record().id;
  memset(info->identity, 0, sizeof info->identity);
  memcpy(info->identity, identity.data(), std::min(identity.size(), sizeof info->identity - 1));
  if (LOTSE_HAS(info, lotse_state_info, ephemeral)) info->ephemeral = 0;
  if (LOTSE_HAS(info, lotse_state_info, shared)) info->shared = 1;
}

void EtcdState::measure() {
  StatusResponse response;
  Answer answer = wait_call(method::kStatus, StatusRequest(), true);
  if (answer.ok() && response.ParseFromString(answer.body)) {
    bytes_used_ = static_cast<uint64_t>(std::max<int64_t>(response.db_size_in_use(), 0));
  }
}

Record EtcdState::record() {
  Record copy;
  reactor_.run([&] { copy = mirror_.record(); });
  return copy;
}

Answer EtcdState::wait_call(const char* method, const google::protobuf::MessageLite& request, bool safe) {
  auto waited = std::make_shared<Waited<Answer>>();
  reactor_.run([&] {
    client_.call(method, request, safe, settings_.timeout_ns, [waited](Answer answer) { waited->set(answer); });
  });
  if (waited->wait(2 * settings_.timeout_ns)) return waited->take();
  return {{GrpcCode::deadline_exceeded, "etcd does not answer in time"}, true, ""};
}

void EtcdState::wait_mirror(int64_t etcd_revision) {
  auto waited = std::make_shared<Waited<bool>>();
  reactor_.post([this, waited, etcd_revision] { mirror_.after(etcd_revision, [waited] { waited->set(true); }); });
  if (!waited->wait(6 * settings_.timeout_ns)) throw sdk::Failure(LOTSE_UNAVAILABLE, "the watch of etcd lags behind");
  reactor_.run([] {});  // what the mirror has left for later is done
}

// Every master's mirror learns of it by this key. Returns etcd's revision at which it was there.
int64_t EtcdState::mark_compacted(uint64_t revision) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    RangeRequest request;
    request.set_key(layout_.compacted());
    Answer answer = wait_call(method::kRange, request, true);
    need(status_of(answer));
    RangeResponse found;
    if (!found.ParseFromString(answer.body)) break;
    const bool there = found.kvs_size() > 0;
    if (there && strtoull(found.kvs(0).value().c_str(), nullptr, 10) >= revision) return found.header().revision();
    TxnRequest txn;
    Compare* same = txn.add_compare();
    same->set_target(Compare::MOD);
    same->set_key(layout_.compacted());
    same->set_mod_revision(there ? found.kvs(0).mod_revision() : 0);
    PutRequest* put = txn.add_success()->mutable_put();
    put->set_key(layout_.compacted());
    put->set_value(std::to_string(revision));
    // Safe: the mark only grows.
    answer = wait_call(method::kTxn, txn, true);
    need(status_of(answer));
    TxnResponse done;
    if (done.ParseFromString(answer.body) && done.succeeded()) return done.header().revision();
  }
  throw sdk::Failure(LOTSE_UNAVAILABLE, "others compact the store at the same time");
}

void EtcdState::compact(uint64_t revision) {
  const uint64_t now = wait_current();
  if (revision > now) {
    throw sdk::Failure(LOTSE_INVALID, "revision " + std::to_string(revision) +
                                          " has not been reached: the store is at " + std::to_string(now));
  }
  state::Facts facts;
  need(mirror_.storage().facts(facts));
  if (revision <= facts.compacted) return;
  wait_mirror(mark_compacted(revision));
  // One less: etcd forgets a deletion at the revision that it compacts at, and the values before.
  CompactionRequest request;
  request.set_revision(record().etcd_revision(revision) - 1);
  request.set_physical(true);
  if (request.revision() < 1) return;
  Answer answer = wait_call(method::kCompact, request, true);
  state::Status status = status_of(answer);
  if (!status.ok() && status.code != LOTSE_COMPACTED) host().warn("etcd.compaction", status.message);
  measure();
}

}  // namespace lotse::state_etcd
