// Leadership: the controllers and the scheduler of a master, which work while it leads (core/control/election.h) and are made anew each
// time, so that nothing which an earlier leadership has seen is taken for the present: no node is judged before a full grace period.
#pragma once
#include <memory>
#include <vector>

#include "core/api/fence.h"
#include "core/api/server.h"
#include "core/control/all.h"
#include "core/control/election.h"
#include "core/control/runner.h"
#include "core/daemon/base.h"
#include "core/sched/scheduler.h"

namespace lotse::daemon {

class Leadership {
 public:
  Leadership(Base& base, store::Store& store, api::Server& server, control::Settings settings, std::string identity);
  ~Leadership();  // [main] REQUIRES: end()
  // [main] Stands for election; the policies that the file names are made once at the least, so that it complains here.
  Status start();
  // [main] Rests for good, gives the lease back, and waits for policies that still think.
  void end();
  // [worker] Others take the place of the policies, without a pod being lost; the old ones go once they have thought their last.
  void set_policies(std::vector<std::unique_ptr<plugin::SchedulerPlugin>> policies, const config::Config& config);
  bool leads() const { return leads_; }  // [any]

 private:
  // What exists only while this master leads.
  struct Work {
    std::vector<std::unique_ptr<plugin::SchedulerPlugin>> policies;
    std::unique_ptr<LoopThread> policy_thread;
    std::unique_ptr<api::FencedHandler> handler;  // what is under way may still hold it: it goes with the rest
    std::unique_ptr<control::Runner> runner;
    std::unique_ptr<sched::Scheduler> scheduler;
    Status make_policies(Base& base);
    std::vector<sched::PolicySlot> slots(const config::Config& config) const;
    void stop();  // [loop]
  };
  void gained(uint64_t fence);
  void lost();
  Status begin(Work& work, uint64_t fence);

  Base& base_;
  store::Store& store_;
  api::Server& server_;
  const control::Settings settings_;
  std::unique_ptr<Work> work_;       // [loop]
  std::unique_ptr<Work> prepared_;   // by start, for the first time
  std::unique_ptr<control::Election> election_;
  std::atomic<bool> leads_{false};
  std::mutex mutex_;
  std::condition_variable retired_;
  int retiring_ = 0;
};

}  // namespace lotse::daemon
