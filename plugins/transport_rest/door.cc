#include "plugins/transport_rest/door.h"

namespace lotse::transport_rest {

void Outstanding::add() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++count_;
}

void Outstanding::remove() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

void Outstanding::wait_for_none() {
  std::unique_lock<std::mutex> lock(mutex_);
  none_.wait(lock, [this] { return count_ == 0; });
}

}  // namespace lotse::transport_rest
