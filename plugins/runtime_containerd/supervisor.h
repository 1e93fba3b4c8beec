// The containerd of our own: started when there is none, found again when there is, started anew when it died.
//
// It runs in a session of its own with its own log file and outlives us. `RUN_DIR/containerd.pid` tells who it is, as
// lines pid=N, start=TICKS (field 22 of /proc/N/stat), socket=PATH; a process counts as ours only if pid and start
// agree. A lock file keeps two of us from starting it at once.
//
// Threads: the reactor's.
#pragma once
#include <functional>
#include <list>
#include <string>

#include "plugins/runtime_containerd/containerd_client.h"
#include "plugins/runtime_containerd/settings.h"

namespace lotse::runtime_containerd {

class Supervisor {
 public:
  Supervisor(const sdk::Host& host, const Settings& settings, GrpcClient& grpc, ContainerdClient& client);
  ~Supervisor();

  void start();
  // Leaves containerd running.
  void stop();

  // Calls done once containerd answers CRI, or with a failure at the deadline or at stop(); never from within. With an
  // external containerd that is at once: whether it answers the call will tell.
  void when_ready(int64_t deadline_ns, std::function<void(Verdict)> done);

 private:
  struct Waiter {
    uint64_t timer;
    std::function<void(Verdict)> done;
  };

  void begin();
  bool find_running();
  void launch();
  void adopt(int pid);
  void ask();
  void asked(const GrpcStatus& status);
  void became_ready();
  void died();
  void failed(const std::string& why);
  void answer_waiters(const Verdict& verdict);

  sdk::Host host_;
  const Settings& settings_;
  GrpcClient& grpc_;
  ContainerdClient& client_;
  Reactor& reactor_;
  bool ready_ = false;
  bool stopped_ = false;
  int pid_ = 0;
  int pidfd_ = -1;
  int lock_ = -1;
  uint64_t watch_ = 0;
  uint64_t retry_ = 0;  // timer of the next attempt
  int64_t ask_delay_ns_ = 0;
  int64_t restart_delay_ns_ = 0;
  int64_t ready_since_ns_ = 0;
  std::list<Waiter> waiters_;
};

}  // namespace lotse::runtime_containerd
