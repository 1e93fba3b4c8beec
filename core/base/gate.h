// Gate: who is told things by other threads (a plugin's answers, work on a pool) and may be destroyed meanwhile keeps a shared Gate.
// Each callback enters first and does nothing when it cannot; the destructor closes, which waits for those who are inside (await.h).
// Any thread; close not from inside. An enter from inside fails once closing has begun.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>

#include "core/base/await.h"

namespace lotse {

class Gate {
 public:
  // True as long as it lives: inside. The gate lives at least as long.
  class Pass {
   public:
    explicit Pass(Gate* gate) : gate_(gate) {}
    Pass(Pass&& other) noexcept : gate_(other.gate_) { other.gate_ = nullptr; }
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_) gate_->leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Gate* gate_;
  };

  [[nodiscard]] Pass enter() {
    std::lock_guard lock(mutex_);
    if (closed_) return Pass(nullptr);
    ++inside_;
    return Pass(this);
  }
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    await(empty_, lock, "callbacks to leave what ends", [this] { return inside_ == 0; });
  }

 private:
  void leave() {
    std::lock_guard lock(mutex_);
    if (--inside_ == 0) empty_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable empty_;
  int inside_ = 0;
  bool closed_ = false;
};

}  // namespace lotse
