// Backup and restore. A restored store gives out revisions above all that it or the backed-up cluster can have given before:
// the offset grows by kJump, as the lost cluster may have gone on after its backup was made.
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace lotse::store {
namespace {

constexpr uint64_t kJump = 1'000'000'000;

}  // namespace

Status StoreImpl::backup(int fd) { return backend_.backup(fd); }

Status StoreImpl::restore(int fd) {
  {
    std::lock_guard lock(commit_mutex_);
    if (std::exchange(restoring_, true)) return {Reason::kConflict, "a restore is under way already"};
  }
  replacing_ = true;
  const uint64_t given = ring_.revision();
  std::shared_ptr<BackendWatch> old;
  {
    std::lock_guard lock(feed_mutex_);
    old = std::exchange(feed_, nullptr);
  }
  if (old) old->finish();  // what it still brings is of before
  const uint64_t own_offset = offset_.load();
  Status status = backend_.restore(fd, given > own_offset ? given - own_offset + 1 : 1);
  const bool replaced = status.ok();
  std::vector<FollowerPtr> left;
  if (replaced) {
    // load() takes the file's record; whichever offset is greater counts, and then the jump.
    resources_.clear();
    status = load(&left);
    if (status.ok()) {
      ClusterRecord record;
      {
        std::lock_guard lock(record_mutex_);
        record = record_;
      }
      record.offset = std::max(record.offset, own_offset) + kJump;
      status = save_record(record);
    }
    if (status.ok()) status = load(&left);
  }
  if (auto feeding = start_feed(); status.ok()) status = feeding;
  replacing_ = false;
  {
    std::lock_guard lock(commit_mutex_);
    restoring_ = false;
  }
  release_waiters();
  expire(left);  // they list again at once
  if (replaced) log::info("store.restored", "the store was restored", {{"revision", ring_.revision()}});
  return status;
}

}  // namespace lotse::store
