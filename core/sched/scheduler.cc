#include "core/sched/scheduler.h"

#include "core/sched/state.h"

namespace lotse::sched {

Scheduler::Scheduler(store::Store& store, api::Handler& handler, Loop& loop, Loop& worker,
                     std::vector<PolicySlot> policies, Settings settings)
    : state_(std::make_shared<State>(store, handler, loop, worker, std::move(policies), settings)) {}

Scheduler::~Scheduler() {
  stop();
}

Status Scheduler::start() {
  return state_->start();
}

void Scheduler::stop() {
  state_->stop();
}

void Scheduler::set_policies(std::vector<PolicySlot> policies) {
  state_->set_policies(std::move(policies));
}

Counters Scheduler::counters() const {
  Counters c = state_->counters;
  c.pending = state_->queue.size();
  c.active = state_->queue.active();
  c.writes_in_flight = state_->writes_in_flight;
  return c;
}

}  // namespace lotse::sched
