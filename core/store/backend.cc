#include "core/store/backend.h"

namespace lotse::store {
namespace {

lotse_error fresh_error() {
  lotse_error error{};
  error.size = sizeof(error);
  return error;
}

Status from_error(int32_t code, const lotse_error& error) {
  return backend_status(code, std::string_view(error.message, strnlen(error.message, sizeof(error.message))));
}

std::string sentence(std::string_view ours, std::string_view message) {
  return message.empty() ? std::string(ours) : std::string(ours) + ": " + std::string(message);
}

}  // namespace

Status backend_status(int32_t code, std::string_view message) {
  switch (code) {
    case LOTSE_OK: return {};
    case LOTSE_NO_SPACE: return {Reason::kInsufficientStorage, sentence("the cluster's store is full", message)};
    case LOTSE_READ_ONLY: return {Reason::kServiceUnavailable, sentence("the cluster's store cannot be written to now", message)};
    case LOTSE_UNAVAILABLE: return {Reason::kServiceUnavailable, sentence("the cluster's store is not available", message)};
    case LOTSE_BUSY: return {Reason::kTooManyRequests, sentence("too many changes are waiting for the cluster's store", message)};
    case LOTSE_TOO_LARGE: return {Reason::kRequestEntityTooLarge, sentence("the object is too large for the store", message)};
    case LOTSE_COMPACTED: return {Reason::kExpired, sentence("the resourceVersion is too old", message)};
    case LOTSE_CONFLICT: return {Reason::kConflict, sentence("the object has been changed", message)};
    case LOTSE_NOT_FOUND: return {Reason::kNotFound, sentence("not found", message)};
    case LOTSE_UNKNOWN:
    case LOTSE_DEADLINE: return {Reason::kUnknownOutcome, sentence("the store did not say whether the change was made", message)};
    case LOTSE_CANCELLED: return {Reason::kCancelled, sentence("given up", message)};
    case LOTSE_INVALID: return {Reason::kBadRequest, sentence("the store refused the request", message)};
    default: return {Reason::kInternalError, sentence("the state plugin failed (code " + std::to_string(code) + ")", message)};
  }
}

void BackendWatch::grant(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (!ended_ && bytes > 0) stream_.grant(stream_.self, bytes);
}

void BackendWatch::cancel() {
  std::lock_guard lock(mutex_);
  if (!ended_) stream_.cancel(stream_.self);
}

void BackendWatch::finish() {
  cancel();
  std::unique_lock lock(mutex_);
  gone_.wait(lock, [this] { return ended_; });
}

void BackendWatch::item(void* ctx, uint32_t, lotse_bytes bytes) {
  auto& watch = *static_cast<BackendWatch*>(ctx);
  const auto& events = *static_cast<const lotse_state_events*>(bytes.data);
  size_t size = 0;
  const auto* at = reinterpret_cast<const char*>(events.events);
  for (size_t i = 0; i < events.count; ++i, at += events.events[0].size) {
    const auto& e = *reinterpret_cast<const lotse_state_event*>(at);
    size += e.key.size + e.value.size + e.previous.size;
  }
  watch.on_events_(events, std::max<size_t>(size, 1));
}

void BackendWatch::end(void* ctx, int32_t code, lotse_bytes payload) {
  const auto self = static_cast<BackendWatch*>(ctx)->self_;  // lives until we return
  self->on_end_(code == LOTSE_OK ? Status(Reason::kCancelled, "the watch has ended") : backend_status(code, as_view(payload)));
  std::lock_guard lock(self->mutex_);
  self->ended_ = true;
  self->stream_.release(self->stream_.self);
  self->self_.reset();
  self->gone_.notify_all();
}

Backend::Backend(const lotse_state* state) : state_(state) {
  const auto extension = [&](const char* id) -> const void* {
    return state->base.extension ? state->base.extension(state->base.self, id) : nullptr;
  };
  watch_ = static_cast<const lotse_state_watch*>(extension(LOTSE_STATE_WATCH));
  backup_ = static_cast<const lotse_state_backup*>(extension(LOTSE_STATE_BACKUP));
  current_ = static_cast<const lotse_state_current*>(extension(LOTSE_STATE_CURRENT));
}

bool Backend::ask_current(int64_t timeout_ns, void (*done)(void*, int32_t, uint64_t), void* ctx) const {
  if (!current_ || !current_->ask) return false;
  current_->ask(self(), timeout_ns, done, ctx);
  return true;
}

Status Backend::check() const {
  if (!state_->commit || !state_->range || !state_->info || !state_->compact) {
    return {Reason::kInternalError, "the state plugin lacks a function that every state backend has"};
  }
  if (!watch_ || !watch_->open) {
    return {Reason::kInternalError, "the state plugin does not offer lotse.state.watch/1, which a cluster needs"};
  }
  return {};
}

Result<BackendInfo> Backend::info() const {
  lotse_state_info info{};
  info.size = sizeof(info);
  lotse_error error = fresh_error();
  if (const int32_t code = state_->info(self(), &info, &error); code != LOTSE_OK) return from_error(code, error);
  info.identity[sizeof(info.identity) - 1] = '\0';
  return BackendInfo{info.fast_reads != 0, info.shared != 0, info.revision, info.compacted, info.identity};
}

Result<BackendRangeResult> Backend::range(const BackendRange& range, const std::function<bool(const BackendEntry&)>& fn) const {
  lotse_state_range request{};
  request.size = sizeof(request);
  request.keys_only = range.keys_only;
  request.start = as_bytes(range.start);
  request.end = as_bytes(range.end);
  request.revision = range.revision;
  request.limit = range.limit;
  lotse_state_range_result result{};
  result.size = sizeof(result);
  lotse_error error = fresh_error();
  const auto on_entry = [](void* ctx, const lotse_state_entry* e) -> int32_t {
    const auto& f = *static_cast<const std::function<bool(const BackendEntry&)>*>(ctx);
    return f({as_view(e->key), as_view(e->value), e->revision});
  };
  auto* ctx = const_cast<void*>(static_cast<const void*>(&fn));
  if (const int32_t code = state_->range(self(), &request, on_entry, ctx, &result, &error); code != LOTSE_OK) {
    return from_error(code, error);
  }
  return BackendRangeResult{result.more != 0, result.revision};
}

Result<bool> Backend::read(std::string_view key, std::string* value, uint64_t* revision) const {
  bool found = false;
  std::string end(key);
  end.push_back('\0');
  LOTSE_TRY([[maybe_unused]] const auto result, range({key, end, 0, 1, false}, [&](const BackendEntry& e) {
              found = true;
              value->assign(e.value);
              *revision = e.revision;
              return false;
            }));
  return found;
}

Status Backend::compact(uint64_t revision) const {
  lotse_error error = fresh_error();
  const int32_t code = state_->compact(self(), revision, &error);
  return code == LOTSE_OK ? Status() : from_error(code, error);
}

Result<std::shared_ptr<BackendWatch>> Backend::watch(std::string_view start, std::string_view end, uint64_t from,
                                                     BackendWatch::OnEvents on_events, BackendWatch::OnEnd on_end) const {
  auto watch = std::make_shared<BackendWatch>();
  watch->on_events_ = std::move(on_events);
  watch->on_end_ = std::move(on_end);
  watch->self_ = watch;
  lotse_stream_sink sink{};
  sink.size = sizeof(sink);
  sink.ctx = watch.get();
  sink.on_item = &BackendWatch::item;
  sink.on_writable = [](void*, uint64_t) {};
  sink.on_end = &BackendWatch::end;
  watch->stream_.size = sizeof(watch->stream_);
  lotse_error error = fresh_error();
  // Held, so that an end that comes at once waits until stream_ is filled in.
  std::lock_guard lock(watch->mutex_);
  const int32_t code = watch_->open(self(), as_bytes(start), as_bytes(end), from, &sink, &watch->stream_, &error);
  if (code != LOTSE_OK) {
    watch->ended_ = true;
    watch->self_.reset();
    return from_error(code, error);
  }
  return watch;
}

Status Backend::backup(int fd) const {
  if (!backup_ || !backup_->write) return {Reason::kMethodNotAllowed, "this state plugin makes no backups (lotse.state.backup/1)"};
  lotse_error error = fresh_error();
  const int32_t code = backup_->write(self(), fd, &error);
  return code == LOTSE_OK ? Status() : from_error(code, error);
}

Status Backend::restore(int fd, uint64_t floor) const {
  if (!backup_ || !backup_->read) return {Reason::kMethodNotAllowed, "this state plugin restores no backups (lotse.state.backup/1)"};
  lotse_error error = fresh_error();
  const int32_t code = backup_->read(self(), fd, floor, &error);
  return code == LOTSE_OK ? Status() : from_error(code, error);
}

}  // namespace lotse::store
