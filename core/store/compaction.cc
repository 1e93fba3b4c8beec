// Compaction: what is older than the window is forgotten. The timer runs only after a change: a store at rest sleeps.
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace lotse::store {

void StoreImpl::note_change() {
  if (!options_.loop) return;
  {
    std::lock_guard lock(compaction_mutex_);
    if (std::exchange(compaction_armed_, true)) return;
  }
  const std::weak_ptr<bool> alive = alive_;
  options_.loop->post([this, alive] {
    if (!alive.expired()) arm_compaction();
  });
}

void StoreImpl::arm_compaction() {  // [loop]
  std::lock_guard lock(compaction_mutex_);
  compaction_mark_ = ring_.revision() - offset_.load();
  const std::weak_ptr<bool> alive = alive_;
  *compaction_timer_ = options_.loop->after(options_.compaction_window, [this, alive] {
    if (!alive.expired()) compaction_due();
  });
}

void StoreImpl::compaction_due() {
  uint64_t mark = 0;
  {
    std::lock_guard lock(compaction_mutex_);
    compaction_armed_ = false;
    mark = outward(compaction_mark_);
  }
  const auto work = [this, mark, gate = gate_] {
    const auto inside = gate->enter();
    if (!inside) return;
    if (auto status = compact(mark); !status.ok()) log::warn("store.not_compacted", status.message);
  };
  if (!options_.pool || !options_.pool->submit(work)) work();
  if (ring_.revision() > mark) note_change();
}

Status StoreImpl::compact(uint64_t revision) {
  const uint64_t to = std::min(revision, ring_.revision());
  if (to <= compacted_.load()) return {};
  LOTSE_CHECK_OK(backend_.compact(to_backend(to)));
  uint64_t before = compacted_.load();
  while (before < to && !compacted_.compare_exchange_weak(before, to)) {
  }
  return {};
}

}  // namespace lotse::store
