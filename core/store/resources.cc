// Numbers for resources that have none yet: one change to the table for all that wait, guarded by its revision, so that two
// masters never give one number twice.
#include "core/store/store_impl.h"

namespace lotse::store {
namespace {

struct TableWrite {
  std::function<void(const lotse_state_outcome&)> done;
  std::shared_ptr<Gate> gate;
};

}  // namespace

std::vector<std::string> StoreImpl::unnumbered(const Write& write) const {
  std::vector<std::string> missing;
  if (resources_.number(write.key.resource) == 0) missing.push_back(write.key.resource);
  for (const auto& guard : write.guards) {
    if (resources_.number(guard.key.resource) == 0) missing.push_back(guard.key.resource);
  }
  return missing;
}

void StoreImpl::number(std::vector<std::string> resources, std::unique_ptr<Pending> pending) {
  {
    std::lock_guard lock(number_mutex_);
    numbering_.insert(numbering_.end(), resources.begin(), resources.end());
    unnumbered_.push_back(std::move(pending));
    if (std::exchange(writing_numbers_, true)) return;
  }
  write_numbers();
}

void StoreImpl::write_numbers() {
  std::string text;
  uint64_t expected = 0;
  {
    std::lock_guard lock(number_mutex_);
    expected = resources_.revision();
    text = resources_.with(numbering_);
  }
  lotse_state_op op{};
  op.size = sizeof(op);
  op.kind = LOTSE_STATE_PUT;
  op.key = as_bytes(kResourcesKey);
  op.value = as_bytes(text);
  op.expected = expected;
  auto* ctx = new TableWrite{[this, text](const lotse_state_outcome& outcome) {
    if (outcome.code == LOTSE_OK) (void)resources_.load(text, outcome.revision);
    numbers_written(outcome);
  }, gate_};
  const auto done = [](void* c, const lotse_state_outcome* outcomes, size_t) {
    const std::unique_ptr<TableWrite> write(static_cast<TableWrite*>(c));
    if (const auto inside = write->gate->enter()) write->done(outcomes[0]);
  };
  backend_->commit(backend_.self(), &op, 1, done, ctx);
}

void StoreImpl::numbers_written(const lotse_state_outcome& outcome) {
  Status failed;
  if (outcome.code != LOTSE_OK) {  // somebody else may have written it: what stands there now decides
    std::string text;
    uint64_t revision = 0;
    const auto found = backend_.read(kResourcesKey, &text, &revision);
    if (!found.ok()) {
      failed = found.status();
    } else if (*found) {
      failed = resources_.load(text, revision);
    }
    if (failed.ok() && outcome.code != LOTSE_CONFLICT) failed = backend_status(outcome.code, "");
  }
  std::vector<std::unique_ptr<Pending>> ready;
  bool again = false;
  {
    std::lock_guard lock(number_mutex_);
    std::vector<std::unique_ptr<Pending>> waiting;
    for (auto& p : unnumbered_) {
      auto& to = failed.ok() && !unnumbered(p->write).empty() ? waiting : ready;
      to.push_back(std::move(p));
    }
    unnumbered_ = std::move(waiting);
    std::erase_if(numbering_, [&](const std::string& name) { return resources_.number(name) != 0 || !failed.ok(); });
    again = !unnumbered_.empty();
    writing_numbers_ = again;
  }
  for (auto& p : ready) {
    if (unnumbered(p->write).empty()) {
      enqueue(std::move(p));
    } else {
      p->done(failed);
    }
  }
  if (again) write_numbers();
}

}  // namespace lotse::store
