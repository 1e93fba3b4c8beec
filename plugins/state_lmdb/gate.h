// The generation lock: many may read, or one may change what they read from (grow the map, reopen the file).
//
// Unlike std::shared_mutex it cannot starve the one, and a thread that reads may enter once more (a range within the
// callback of a range), also while the one waits.
#pragma once

#include <condition_variable>
#include <mutex>

namespace lotse::state_lmdb {

class Gate {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    // While somebody is inside the one still waits, so that who is inside already may enter again.
    changed_.wait(lock, [this] { return !closing_ || (depth() > 0 && inside_ > 0); });
    ++depth();
    ++inside_;
  }
  void leave() {
    std::lock_guard lock(mutex_);
    --depth();
    if (--inside_ == 0) changed_.notify_all();
  }
  // REQUIRES: the caller is not inside, and the only one who closes.
  void close() {
    std::unique_lock lock(mutex_);
    closing_ = true;
    changed_.wait(lock, [this] { return inside_ == 0; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    closing_ = false;
    changed_.notify_all();
  }

  class Closed {
   public:
    explicit Closed(Gate& gate) : gate_(gate) { gate_.close(); }
    ~Closed() { gate_.open(); }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;

   private:
    Gate& gate_;
  };

 private:
  // Counted over all gates: a thread inside another one only counts as a reader where readers still are.
  static int& depth() {
    static thread_local int depth = 0;
    return depth;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool closing_ = false;
};

}  // namespace lotse::state_lmdb
