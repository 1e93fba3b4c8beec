#include <condition_variable>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/object/json.h"
#include "core/store/open.h"
#include "core/store/store_impl.h"

namespace lotse::store {
namespace {

constexpr int64_t kFormat = 1;

}  // namespace

Result<ClusterRecord> ClusterRecord::parse(std::string_view text) {
  LOTSE_TRY(const json::Value v, json::parse(text));
  if (v["format"].integer() != kFormat) {
    return Status(Reason::kInternalError, "the cluster's record has format " + std::string(v["format"].number_text()) +
                                              "; this lotsed knows format 1 only");
  }
  ClusterRecord record{std::string(v["id"].str()), static_cast<uint64_t>(v["offset"].integer()), std::string(v["movedTo"].str())};
  if (record.id.empty()) return Status(Reason::kInternalError, "the cluster's record has no id");
  return record;
}

std::string ClusterRecord::text() const {
  json::Value v = json::Value::object({{"format", kFormat}, {"id", id}, {"offset", offset}});
  if (!moved_to.empty()) v["movedTo"] = moved_to;
  return json::write(v);
}

StoreImpl::StoreImpl(const lotse_state* state, Clock& clock, Options options)
    : backend_(state), clock_(clock), options_(options), ring_(options.ring_bytes_max) {
  compaction_timer_ = std::make_shared<Handle>();
}

StoreImpl::~StoreImpl() {
  alive_.reset();
  std::shared_ptr<BackendWatch> feed;
  {
    std::lock_guard lock(feed_mutex_);
    feed = std::exchange(feed_, nullptr);
  }
  if (feed) feed->finish();
  gate_->close();
  if (options_.loop && !options_.loop->on_loop()) {
    // A timer is touched on its loop only.
    options_.loop->post([timer = compaction_timer_] { timer->reset(); });
  } else {
    compaction_timer_->reset();
  }
}

Status StoreImpl::save_record(const ClusterRecord& record) {
  const std::string text = record.text();
  lotse_state_op op{};
  op.size = sizeof(op);
  op.kind = LOTSE_STATE_PUT;
  op.key = as_bytes(kClusterKey);
  op.value = as_bytes(text);
  op.expected = record_revision_;
  struct Wait {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<lotse_state_outcome> outcome;
  } wait;
  const auto done = [](void* ctx, const lotse_state_outcome* outcomes, size_t) {
    auto& w = *static_cast<Wait*>(ctx);
    std::lock_guard lock(w.mutex);
    w.outcome = outcomes[0];
    w.ready.notify_one();
  };
  backend_->commit(backend_.self(), &op, 1, done, &wait);
  std::unique_lock lock(wait.mutex);
  wait.ready.wait(lock, [&] { return wait.outcome.has_value(); });
  return backend_status(wait.outcome->code, "the cluster's record could not be written");
}

// Everything in memory from the backend, as of one revision.
Status StoreImpl::load(std::vector<FollowerPtr>* left) {
  std::string text;
  LOTSE_TRY(const bool has_table, backend_.read(kResourcesKey, &text, &record_revision_));
  if (has_table) LOTSE_CHECK_OK(resources_.load(text, record_revision_));
  record_revision_ = 0;
  LOTSE_TRY(const bool has_record, backend_.read(kClusterKey, &text, &record_revision_));
  if (!has_record) {
    LOTSE_CHECK_OK(save_record({make_uuid(), 0}));
    LOTSE_TRY([[maybe_unused]] const bool found, backend_.read(kClusterKey, &text, &record_revision_));
  }
  LOTSE_TRY(auto record, ClusterRecord::parse(text));
  if (!record.moved_to.empty() && !accept_moved_) {
    return Status(Reason::kConflict, "this cluster was moved to the state backend " + record.moved_to + " by `lotse state migrate`: set state = \"" +
                                         record.moved_to + "\" in [components]");
  }
  {
    std::lock_guard lock(record_mutex_);
    record_ = record;
  }
  LOTSE_TRY(const auto info, backend_.info());
  fast_reads_ = info.fast_reads;
  shared_ = info.shared;
  offset_ = record.offset;
  compacted_ = info.compacted + record.offset;
  index_.clear();
  KeyRange range = every_object();
  uint64_t at = 0;
  for (bool more = true; more;) {
    std::string last;
    LOTSE_TRY(const auto result, backend_.range({range.start, range.end, at, 0, false}, [&](const BackendEntry& e) {
                DecodedKey key;
                if (decode_key(e.key, &key)) index_.load(resources_.resource(key.number), key.ns, key.name, e.key, e.value);
                last = e.key;
                return true;
              }));
    at = result.revision;
    more = result.more && !last.empty();
    if (more) range.start = key_after(last);
  }
  {
    std::lock_guard lock(feed_mutex_);
    fed_ = at;
  }
  for (auto& follower : ring_.reset(outward(at))) left->push_back(std::move(follower));
  return {};
}

void StoreImpl::expire(const std::vector<FollowerPtr>& left) {
  for (const auto& follower : left) follower->expire({Reason::kExpired, "the history of changes was lost; list again"});
}

Status StoreImpl::open() {
  LOTSE_CHECK_OK(backend_.check());
  std::vector<FollowerPtr> nobody;
  LOTSE_CHECK_OK(load(&nobody));
  LOTSE_CHECK_OK(start_feed());
  log::info("store.opened", "the store is open", {{"cluster", record_.id}, {"revision", ring_.revision()}});
  return {};
}

std::string StoreImpl::cluster_id() const {
  std::lock_guard lock(record_mutex_);
  return record_.id;
}

Result<std::unique_ptr<Store>> open_on(const lotse_state* state, Clock& clock, Options options) {
  auto store = std::make_unique<StoreImpl>(state, clock, options);
  LOTSE_CHECK_OK(store->open());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lotse::store
