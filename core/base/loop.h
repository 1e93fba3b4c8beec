// Loop: where things happen one after the other. A loop is one thread with posted functions, timers and file
// descriptors; what belongs to a loop is touched on it only and needs no lock. The real one runs on Asio (which stays
// in loop.cc); VirtualLoop runs the same code in tests on a clock that jumps from timer to timer.
#pragma once
#include <functional>
#include <memory>

#include "core/base/clock.h"

namespace lotse {

// Stops its timer or watch when it is destroyed. Movable. Touched on the loop only.
class Handle {
 public:
  struct Impl { virtual ~Impl() = default; };
  Handle() = default;
  explicit Handle(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
  void reset() { impl_.reset(); }
  explicit operator bool() const { return impl_ != nullptr; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Loop {
 public:
  virtual ~Loop() = default;
  // [any thread] Runs fn on the loop, soon, in the order of posting, never from within post.
  virtual void post(std::function<void()> fn) = 0;
  // [loop] Runs fn once after the delay unless the handle is gone by then.
  virtual Handle after(Duration delay, std::function<void()> fn) = 0;
  // [loop] Runs fn whenever fd is readable or writable (level-triggered) as long as the handle lives. The fd stays the
  // caller's, becomes non-blocking, and is closed only after its handle is gone. No handle: fd cannot be watched.
  virtual Handle watch_fd(int fd, bool readable, bool writable, std::function<void()> fn) = 0;
  virtual const Clock& clock() const = 0;
  virtual bool on_loop() const = 0;
};

// A loop with a thread of its own, ended by its destructor after what is posted has run.
class LoopThread {
 public:
  explicit LoopThread(std::string name);
  ~LoopThread();
  Loop& loop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A loop on the thread that calls run(): the daemon's own, and the command line's.
class MainLoop {
 public:
  MainLoop();
  ~MainLoop();
  Loop& loop();
  void run();   // until stop; what is posted by then has run
  void stop();  // [any]

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// For tests: run() works off what is posted; advance(d) moves the clock and fires timers in order. No threads.
class VirtualLoop : public Loop {
 public:
  explicit VirtualLoop(WallTime start = WallTime(std::chrono::seconds(1767225600)));
  ~VirtualLoop() override;
  void post(std::function<void()> fn) override;  // from any thread
  Handle after(Duration delay, std::function<void()> fn) override;
  Handle watch_fd(int fd, bool readable, bool writable, std::function<void()> fn) override;  // fired by run() when ready
  const Clock& clock() const override;
  bool on_loop() const override { return true; }
  void run();                    // until nothing is posted or ready
  void advance(Duration step);   // run(), then every timer that falls due within step, in order

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A bounded pool for what may block.
class WorkerPool {
 public:
  WorkerPool(std::string name, size_t threads_max, size_t queue_max);
  ~WorkerPool();  // waits for what is queued
  // [any thread] false: the queue is full, fn was not taken. Threads are started when needed and end after 10 s idle.
  [[nodiscard]] bool submit(std::function<void()> fn);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse
