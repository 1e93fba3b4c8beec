#include "core/store/move.h"

#include <unistd.h>

#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace lotse::store {
namespace {

constexpr Duration kDrainMax = std::chrono::seconds(30);

}  // namespace

// No change is under way, and none is taken any more.
Status StoreImpl::hold() {
  std::unique_lock lock(commit_mutex_);
  if (std::exchange(restoring_, true)) return {Reason::kConflict, "a restore or a move is under way already"};
  if (all_answered_.wait_for(lock, kDrainMax, [this] { return under_way_ == 0; })) return {};
  restoring_ = false;
  return {Reason::kTimeout, "the store did not answer all changes in time"};
}

void StoreImpl::go_on() {
  std::lock_guard lock(commit_mutex_);
  restoring_ = false;
}

Result<bool> StoreImpl::holds_objects() const {
  bool any = false;
  KeyRange range = every_object();
  LOTSE_TRY([[maybe_unused]] const auto result, backend_.range({range.start, range.end, 0, 1, true}, [&](const BackendEntry&) {
              any = true;
              return false;
            }));
  return any;
}

Status StoreImpl::move_to(StoreImpl& to, int file, const std::string& name) {
  LOTSE_TRY(const bool occupied, to.holds_objects());
  if (occupied && to.cluster_id() != cluster_id()) {
    return {Reason::kConflict, "the store in " + name + " holds another cluster (" + to.cluster_id() + "): empty it, or give another one"};
  }
  LOTSE_CHECK_OK(hold());
  Status status = backup(file);
  if (status.ok() && lseek(file, 0, SEEK_SET) != 0) status = {Reason::kInternalError, "the backup cannot be read back"};
  if (status.ok()) status = to.restore(file);
  if (status.ok()) {
    ClusterRecord record;
    {
      std::lock_guard lock(record_mutex_);
      record = record_;
    }
    record.moved_to = name;
    status = save_record(record);
  }
  if (!status.ok()) {
    go_on();
    return status;
  }
  moved_ = true;
  log::info("store.moved", "the cluster has moved to another store; this one takes no change any more", {{"to", name}});
  return {};
}

Result<std::unique_ptr<Store>> open_destination(const lotse_state* state, Clock& clock) {
  auto store = std::make_unique<StoreImpl>(state, clock, Options{});
  store->accept_moved();
  LOTSE_CHECK_OK(store->open());
  return std::unique_ptr<Store>(std::move(store));
}

Status move(Store& from, Store& to, int file, const std::string& name) {
  return static_cast<StoreImpl&>(from).move_to(static_cast<StoreImpl&>(to), file, name);
}

}  // namespace lotse::store
