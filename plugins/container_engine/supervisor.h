// A daemon of our own: started when there is none, found again when there is, started anew when it died.
//
// It runs in a session of its own with its own log file and outlives us. `RUN_DIR/NAME.pid` tells who it is, as lines
// pid=N, start=TICKS (field 22 of /proc/N/stat), socket=PATH; a process counts as ours only if pid and start agree. A
// lock file keeps two of us from starting it at once.
//
// Threads: the reactor's.
#pragma once
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "lotse/host.hpp"
#include "plugins/container_engine/co.h"
#include "plugins/container_engine/outcome.h"
#include "plugins/container_engine/reactor.h"

namespace lotse::container_engine {

struct Daemon {
  std::string name;  // of its pid file, lock and log, and of the fault that is raised while it is down
  std::string data_dir, run_dir, socket;
  // Writes its configuration: the command line to start it with.
  std::function<Outcome<std::vector<std::string>>()> prepare;
  // Asks it whether it works, and says so within some seconds; never from within.
  std::function<void(std::function<void(bool)>)> ask;
  std::function<void()> on_ready, on_down;  // may be empty
};

class Supervisor {
 public:
  // managed: false starts nothing, and everything is ready at once.
  Supervisor(const sdk::Host& host, Reactor& reactor, bool managed, Daemon daemon);
  ~Supervisor();

  void start();
  // Leaves the daemon running.
  void stop();
  // Starts it anew, with what prepare says now: calls wait meanwhile, and no fault is raised.
  void restart();
  // Its connection broke: usually because it has died, which is about to be seen. Until it answers again, calls wait.
  void lost();

  // Calls done once the daemon works, or with a failure at the deadline or at stop(); never from within. With an
  // external daemon that is at once: whether it answers the call will tell.
  void when_ready(int64_t deadline_ns, std::function<void(Verdict)> done);
  Co<Done> ready(int64_t deadline_ns);  // the same for a step: returns then, or throws

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
  void asked(bool works);
  void became_ready();
  void died();
  void failed(const std::string& why);
  void answer_waiters(const Verdict& verdict);
  std::string file(const char* ending) const { return daemon_.run_dir + "/" + daemon_.name + ending; }
  std::string log_path() const { return daemon_.data_dir + "/" + daemon_.name + ".log"; }
  std::string fault_reason() const;

  sdk::Host host_;
  Reactor& reactor_;
  const bool managed_;
  const Daemon daemon_;
  bool ready_ = false;
  bool stopped_ = false;
  bool wanted_down_ = false;  // restart() has asked it to end
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

}  // namespace lotse::container_engine
