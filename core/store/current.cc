// What is the latest that anybody was answered? A question to the backend for all who ask at the same time.
#include "core/store/store_impl.h"

namespace lotse::store {

void StoreImpl::current(Duration timeout, std::function<void(Status)> done) {
  if (!shared_) return done({});
  {
    std::lock_guard lock(current_mutex_);
    current_wait_.push_back(std::move(done));
    current_timeout_ = timeout;
    if (!current_asked_.empty()) return;
    current_asked_.swap(current_wait_);
  }
  ask_current();
}

void StoreImpl::ask_current() {
  struct Asked {
    StoreImpl* store;
    std::shared_ptr<Gate> gate;
  };
  Asked* const asked = new Asked{this, gate_};  // done has it, which may come from within
  const bool can = backend_.ask_current(current_timeout_.count(), [](void* ctx, int32_t code, uint64_t revision) {
    const std::unique_ptr<Asked> back(static_cast<Asked*>(ctx));
    if (const auto inside = back->gate->enter()) back->store->current_is(code == LOTSE_OK ? Status() : backend_status(code, "the state backend does not answer"), revision);
  }, asked);
  if (can) return;
  delete asked;
  current_is({}, 0);
}

void StoreImpl::current_is(Status status, uint64_t revision) {
  std::vector<std::function<void(Status)>> answered;
  bool more = false;
  {
    std::lock_guard lock(current_mutex_);
    answered.swap(current_asked_);
    // Who came while nobody answered is told so too: asking once more would keep him as long again.
    if (status.ok()) current_asked_.swap(current_wait_);
    else answered.insert(answered.end(), std::make_move_iterator(current_wait_.begin()), std::make_move_iterator(current_wait_.end())), current_wait_.clear();
    more = !current_asked_.empty();
  }
  if (more) ask_current();
  auto tell = [answered = std::move(answered), status] {
    for (const auto& done : answered) done(status);
  };
  status.ok() ? after(revision, std::move(tell)) : tell();
}

}  // namespace lotse::store
