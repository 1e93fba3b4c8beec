// The plugin's one thread: an epoll loop with timers and posted functions.
//
// Everything that talks to the runtime, to FIFOs and to sockets runs on this thread, so none of it needs a lock. It
// sleeps in epoll_wait without a timeout while there is nothing to do.
//
// Threads: post() may be called from anywhere, everything else only on the loop thread (or before start()).
#pragma once
#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace lotse::container_engine {

class Reactor {
 public:
  using Function = std::function<void()>;
  using Ready = std::function<void(uint32_t events)>;

  explicit Reactor(const char* name = "reactor");  // the thread's name, at most 15 letters
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  void start();
  // Runs what was posted, then ends the thread. Watches and timers that are left are dropped.
  void stop();

  void post(Function fn);
  // Runs fn on the loop and waits for it; on the loop itself it simply calls fn.
  void run(const Function& fn);
  bool on_loop() const { return std::this_thread::get_id() == thread_.get_id(); }

  // Edge-triggered: `ready` is called when the state changes, so it must read or write until EAGAIN.
  uint64_t watch(int fd, uint32_t events, Ready ready);
  void unwatch(uint64_t id);

  uint64_t timer(int64_t delay_ns, Function fn);
  uint64_t timer_at(int64_t monotonic_ns, Function fn);
  void timer_stop(uint64_t id);

  static int64_t now_ns();       // CLOCK_MONOTONIC
  static int64_t unix_now_ns();  // CLOCK_REALTIME

 private:
  struct Watch {
    int fd;
    Ready ready;
  };

  void loop();
  void run_posted();
  int run_timers();  // milliseconds until the next one, -1: none

  const std::string name_;
  int epoll_ = -1;
  int wake_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Watch>> watches_;
  std::map<std::pair<int64_t, uint64_t>, Function> timers_;
  std::unordered_map<uint64_t, int64_t> timer_times_;
  std::mutex mutex_;  // guards posted_
  std::vector<Function> posted_;
};

}  // namespace lotse::container_engine
