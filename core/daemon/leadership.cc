#include "core/daemon/leadership.h"

#include "core/base/log.h"
#include "core/base/run_on.h"

namespace lotse::daemon {
namespace {

constexpr Duration kGiveBackMax = std::chrono::seconds(2);

}  // namespace

// The first policy is the default one; each serves pods that ask for it by its name as well.
Status Leadership::Work::make_policies(Base& base) {
  for (const auto& name : base.config.components.scheduler) {
    LOTSE_TRY(auto policy, base.plugins.create_scheduler(base.host, base.config, name));
    policies.push_back(std::move(policy));
  }
  policy_thread = std::make_unique<LoopThread>("sched");
  return {};
}

std::vector<sched::PolicySlot> Leadership::Work::slots(const config::Config& config) const {
  std::vector<sched::PolicySlot> out;
  for (size_t i = 0; i < policies.size(); ++i) {
    sched::PolicySlot slot;
    if (i == 0) slot.scheduler_names.emplace_back("default-scheduler");
    slot.scheduler_names.push_back(config.components.scheduler[i]);
    slot.policy = policies[i]->c();
    out.push_back(std::move(slot));
  }
  return out;
}

void Leadership::Work::stop() {
  if (scheduler) scheduler->stop();
  if (runner) runner->stop();
  scheduler.reset();
  runner.reset();
}

Leadership::Leadership(Base& base, store::Store& store, api::Server& server, control::Settings settings, std::string identity)
    : base_(base), store_(store), server_(server), settings_(std::move(settings)) {
  control::ElectionSettings election;
  election.identity = std::move(identity);
  election_ = std::make_unique<control::Election>(store, server, base.loop, std::move(election),
                                                  control::Election::Events{[this](uint64_t fence) { gained(fence); }, [this] { lost(); }});
}

Leadership::~Leadership() {
  run_on(base_.loop, [&] { election_.reset(); });
  std::unique_lock lock(mutex_);
  retired_.wait(lock, [&] { return retiring_ == 0; });
}

Status Leadership::start() {
  prepared_ = std::make_unique<Work>();
  LOTSE_CHECK_OK(prepared_->make_policies(base_));
  return run_on(base_.loop, [&] { return election_->start(); });
}

void Leadership::end() {
  wait_for(base_.loop, kGiveBackMax, [&](std::function<void()> done) { election_->stop(std::move(done)); });
}

Status Leadership::begin(Work& work, uint64_t fence) {
  if (work.policies.empty()) LOTSE_CHECK_OK(work.make_policies(base_));
  work.handler = std::make_unique<api::FencedHandler>(server_, fence);
  work.runner = std::make_unique<control::Runner>(store_, *work.handler, base_.loop, control::all_controllers(settings_));
  LOTSE_CHECK_OK(work.runner->start());
  work.scheduler = std::make_unique<sched::Scheduler>(store_, *work.handler, base_.loop, work.policy_thread->loop(), work.slots(base_.config));
  return work.scheduler->start();
}

void Leadership::set_policies(std::vector<std::unique_ptr<plugin::SchedulerPlugin>> policies, const config::Config& config) {
  run_on(base_.loop, [&] {
    base_.config.components.scheduler = config.components.scheduler;
    auto& tables = base_.config.plugins;
    std::erase_if(tables, [](const config::PluginTable& t) { return t.kind == "scheduler"; });
    for (const auto& t : config.plugins)
      if (t.kind == "scheduler") tables.push_back(t);
    Work* work = work_ ? work_.get() : prepared_.get();
    if (!work || work->policies.empty()) return;  // made anew when this master leads
    auto old = std::make_shared<std::vector<std::unique_ptr<plugin::SchedulerPlugin>>>(std::exchange(work->policies, std::move(policies)));
    if (work->scheduler) work->scheduler->set_policies(work->slots(base_.config));
    work->policy_thread->loop().post([old] { old->clear(); });  // behind all that was asked of them
  });
}

void Leadership::gained(uint64_t fence) {
  work_ = prepared_ ? std::move(prepared_) : std::make_unique<Work>();
  leads_ = true;
  if (Status status = begin(*work_, fence); !status.ok()) log::error("daemon.not_leading", "controllers or scheduler could not begin", {{"reason", status.message}});
}

// A policy may be thinking: its thread is waited for elsewhere, not on the loop.
void Leadership::lost() {
  leads_ = false;
  if (!work_) return;
  std::shared_ptr<Work> old = std::move(work_);
  old->stop();
  {
    std::lock_guard lock(mutex_);
    ++retiring_;
  }
  auto retire = [this, old]() mutable {
    old->policy_thread.reset();
    old->policies.clear();
    old.reset();
    std::lock_guard lock(mutex_);
    --retiring_;
    retired_.notify_all();
  };
  if (!base_.pool.submit(retire)) retire();
}

}  // namespace lotse::daemon
