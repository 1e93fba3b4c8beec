#include <condition_variable>

#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace lotse::store {
namespace {

constexpr size_t kUnderWayMax = 32768;  // half of what a plugin takes
constexpr size_t kBatchMax = 1024;
constexpr size_t kGuardsMax = 16;

bool unreadable(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Status check_write(const Write& write) {
  if (write.key.resource.empty() || write.key.name.empty() || unreadable(write.key.ns) || unreadable(write.key.name)) {
    return {Reason::kBadRequest, "an object needs a name without NUL characters"};
  }
  if (write.op == Op::kPut && !write.object) return {Reason::kInternalError, "a put without an object"};
  if (write.guards.size() > kGuardsMax) return {Reason::kBadRequest, "a change may have at most 16 guards"};
  return {};
}

}  // namespace

// What the plugin works on; freed when it has answered.
struct StoreImpl::Sent {
  StoreImpl* store;
  Batch batch;
  std::shared_ptr<Gate> gate;
};

// Revisions that the backend has never given cannot match: they must not turn into "must not exist" or "any".
uint64_t StoreImpl::to_backend(uint64_t outward) const {
  if (outward == kAny || outward == 0) return outward;
  const uint64_t offset = offset_.load(std::memory_order_relaxed);
  return outward > offset ? outward - offset : UINT64_MAX - 1;
}

// Whether one more may be under way; it is counted then.
Status StoreImpl::admit() {
  std::lock_guard lock(commit_mutex_);
  if (closing_) return {Reason::kServiceUnavailable, "the store is being closed"};
  if (moved_) return {Reason::kServiceUnavailable, "the cluster has moved to another state backend: lotsed must be started anew with it"};
  if (restoring_) return {Reason::kServiceUnavailable, "the store is being restored from a backup"};
  if (under_way_ >= kUnderWayMax) {
    Status busy(Reason::kTooManyRequests, "too many changes are waiting for the store");
    busy.retry_after_s = 1;
    return busy;
  }
  ++under_way_;
  return {};
}

void StoreImpl::commit(Write write, Done done) {
  Status status = check_write(write);
  if (status.ok()) status = admit();
  if (!status.ok()) return done(std::move(status));
  auto pending = std::make_unique<Pending>();
  pending->write = std::move(write);
  pending->done = [this, done = std::move(done)](Result<Committed> result) {
    done(std::move(result));
    one_less();
  };
  auto missing = unnumbered(pending->write);
  if (missing.empty()) {
    enqueue(std::move(pending));
  } else {
    number(std::move(missing), std::move(pending));
  }
}

void StoreImpl::one_less() {
  std::lock_guard lock(commit_mutex_);
  if (--under_way_ == 0) all_answered_.notify_all();
}

bool StoreImpl::close(Duration timeout) {
  std::unique_lock lock(commit_mutex_);
  closing_ = true;
  return all_answered_.wait_for(lock, timeout, [this] { return under_way_ == 0; });
}

// Whoever finds nobody sending sends for all that comes meanwhile.
void StoreImpl::enqueue(std::unique_ptr<Pending> pending) {
  const Write& w = pending->write;
  pending->key = encode_key(resources_.number(w.key.resource), w.key.ns, w.key.name);
  for (const auto& guard : w.guards) {
    pending->guard_keys.push_back(encode_key(resources_.number(guard.key.resource), guard.key.ns, guard.key.name));
  }
  std::unique_lock lock(commit_mutex_);
  queue_.push_back(std::move(pending));
  if (sending_) return;
  sending_ = true;
  while (!queue_.empty()) {
    Batch batch;
    const size_t n = std::min(queue_.size(), kBatchMax);
    batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + static_cast<long>(n)));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<long>(n));
    lock.unlock();
    send(std::move(batch));
    lock.lock();
  }
  sending_ = false;
}

void StoreImpl::send(Batch batch) {
  auto sent = std::make_unique<Sent>(Sent{this, std::move(batch), gate_});
  std::vector<lotse_state_op> ops(sent->batch.size());
  std::vector<std::vector<lotse_state_guard>> guards(sent->batch.size());
  for (size_t i = 0; i < ops.size(); ++i) {
    const Pending& p = *sent->batch[i];
    for (size_t g = 0; g < p.guard_keys.size(); ++g) {
      guards[i].push_back({as_bytes(p.guard_keys[g]), to_backend(p.write.guards[g].revision)});
    }
    lotse_state_op& op = ops[i];
    op = {};
    op.size = sizeof(op);
    op.kind = p.write.op == Op::kPut ? LOTSE_STATE_PUT : LOTSE_STATE_DELETE;
    op.key = as_bytes(p.key);
    if (p.write.op == Op::kPut) op.value = as_bytes(p.write.object->bytes());
    op.expected = to_backend(p.write.expected);
    op.guards = guards[i].data();
    op.guard_count = guards[i].size();
    op.ttl_ns = p.write.ttl.count();
    op.durability = p.write.relaxed ? LOTSE_STATE_RELAXED : LOTSE_STATE_DURABLE;
  }
  const auto done = [](void* ctx, const lotse_state_outcome* outcomes, size_t count) {
    const std::unique_ptr<Sent> back(static_cast<Sent*>(ctx));
    const auto inside = back->gate->enter();
    if (!inside) return;
    const auto* at = reinterpret_cast<const char*>(outcomes);
    for (size_t i = 0; i < back->batch.size(); ++i) {
      lotse_state_outcome outcome{};
      outcome.code = LOTSE_UNKNOWN;  // of an answer that is too short
      if (i < count) outcome = *reinterpret_cast<const lotse_state_outcome*>(at + i * outcomes[0].size);
      back->store->answered(*back->batch[i], outcome);
    }
  };
  auto* ctx = sent.release();
  backend_->commit(backend_.self(), ops.data(), ops.size(), done, ctx);
}

void StoreImpl::answered(Pending& p, const lotse_state_outcome& outcome) {
  if (outcome.code == LOTSE_UNKNOWN || outcome.code == LOTSE_DEADLINE) return clear_up(p);
  if (outcome.code == LOTSE_OK && outcome.revision != 0) {
    note_change();
    const uint64_t revision = outcome.revision;
    auto shared = std::make_shared<Pending>(std::move(p));
    return after(revision, [this, shared, revision] { shared->done(committed(*shared, revision)); });
  }
  Status status = refused(p, outcome);
  if (outcome.code != LOTSE_CONFLICT) return p.done(std::move(status));
  // Whoever reads after a conflict must see what he lost against.
  auto done = std::make_shared<Done>(std::move(p.done));
  after(outcome.revision, [done, status] { (*done)(status); });
}

void StoreImpl::after(uint64_t backend_revision, std::function<void()> fn) {
  const uint64_t revision = backend_revision == 0 ? 0 : outward(backend_revision);
  {
    std::lock_guard lock(waiters_mutex_);
    if (revision > ring_.revision()) {
      waiters_.emplace(revision, std::move(fn));
      return;
    }
  }
  fn();
}

void StoreImpl::release_waiters() {
  std::vector<std::function<void()>> ready;
  {
    std::lock_guard lock(waiters_mutex_);
    const auto end = waiters_.upper_bound(ring_.revision());
    for (auto it = waiters_.begin(); it != end; ++it) ready.push_back(std::move(it->second));
    waiters_.erase(waiters_.begin(), end);
  }
  for (auto& fn : ready) fn();
}

Result<Committed> StoreImpl::committed(const Pending& p, uint64_t revision) {
  const uint64_t out = outward(revision);
  if (const EventPtr event = ring_.find(out)) return Committed{out, event->object};
  if (p.write.op == Op::kDelete) return Committed{out, nullptr};
  LOTSE_TRY(auto object, Object::from_bytes(p.write.object->bytes(), out));
  return Committed{out, std::move(object)};
}

Status StoreImpl::refused(const Pending& p, const lotse_state_outcome& outcome) const {
  const Key& key = p.write.key;
  if (outcome.code == LOTSE_OK) return Status::not_found("", key.resource, key.name);  // a delete of nothing
  if (outcome.code != LOTSE_CONFLICT) return backend_status(outcome.code, "");
  if (outcome.guard >= 0 && static_cast<size_t>(outcome.guard) < p.write.guards.size()) {
    const Key& guard = p.write.guards[static_cast<size_t>(outcome.guard)].key;
    Status status(Reason::kConflict, "the guard " + guard.resource + " " + guard.name + " did not hold");
    status.group = "guard";
    status.kind = guard.resource;
    status.name = guard.name;
    return status;
  }
  if (p.write.expected == 0) return Status::already_exists("", key.resource, key.name);
  if (outcome.revision == 0) return Status::not_found("", key.resource, key.name);
  return Status::conflict("", key.resource, key.name,
                          "the object has been modified; please apply your changes to the latest version and try again");
}

// Nobody knows whether it took place: what the key holds tells.
void StoreImpl::clear_up(Pending& p) {
  auto shared = std::make_shared<Pending>(std::move(p));
  const auto look = [this, shared, gate = gate_] {
    const auto inside = gate->enter();
    if (!inside) return;
    std::string value;
    uint64_t revision = 0;
    // What a remote backend holds here may be behind: it says first where the store is.
    if (const auto now = backend_.info(); !now.ok()) {
      Status status(Reason::kTimeout, "the store does not answer; the change may or may not have been made");
      status.retry_after_s = 1;
      return shared->done(std::move(status));
    }
    const auto found = backend_.read(shared->key, &value, &revision);
    if (found.ok() && *found && shared->write.op == Op::kPut && value == shared->write.object->bytes().view() &&
        revision != to_backend(shared->write.expected)) {
      log::info("store.cleared_up", "a change of unknown outcome was made", {{"key", shared->write.key.name}});
      return after(revision, [this, shared, revision] { shared->done(committed(*shared, revision)); });
    }
    if (found.ok() && !*found && shared->write.op == Op::kDelete) {
      if (const auto info = backend_.info(); info.ok()) {
        return after(info->revision, [this, shared] { shared->done(Committed{ring_.revision(), nullptr}); });
      }
    }
    log::warn("store.not_made", "a change of unknown outcome was not made", {{"key", shared->write.key.name}});
    Status status(Reason::kServerTimeout, "the change was not stored; try again");
    status.retry_after_s = 1;
    shared->done(std::move(status));
  };
  if (!options_.pool || !options_.pool->submit(look)) look();
}

Result<Committed> commit_and_wait(Store& store, Write write) {
  std::mutex mutex;
  std::condition_variable ready;
  std::optional<Result<Committed>> answer;
  store.commit(std::move(write), [&](Result<Committed> result) {
    std::lock_guard lock(mutex);
    answer.emplace(std::move(result));
    ready.notify_one();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

}  // namespace lotse::store
