// The inside of Runner.
#pragma once
#include <functional>
#include <optional>
#include <set>

#include "core/control/runner.h"

namespace lotse::control {

struct Worker {
  explicit Worker(std::unique_ptr<Controller> c);
  std::unique_ptr<Controller> controller;
  std::shared_ptr<const security::User> user;
  std::set<store::ResourceName> follows;
  Queue queue;
  api::EventRecorder recorder;
  size_t events_in_flight = 0;
};

// One reconcile and its actions under way.
struct Run {
  Worker* worker = nullptr;
  std::string key;
  std::vector<Action> actions, events;
  std::optional<Duration> again;
  size_t at = 0, open = 0;
  Status failure;
  size_t failed_action = 0;
};

struct Runner::State : std::enable_shared_from_this<State> {
  State(store::Store& s, api::Handler& h, Loop& l) : store(s), handler(h), loop(l), view(s) {}
  Status start();
  void start_again();
  void tell(const store::Event& event);
  void follow();
  void work();
  void wait();
  void reconcile(Worker& worker, const std::string& key);
  void next(const std::shared_ptr<Run>& run);
  void finish(const std::shared_ptr<Run>& run);
  // done comes on the loop, never from within.
  void send(Worker& worker, Action& action, std::function<void(Status)> done);
  void write_event(Worker& worker, Action event);

  store::Store& store;
  api::Handler& handler;
  Loop& loop;
  StoreView view;
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<store::Cursor> cursor;
  Handle timer, retry;
  std::optional<SteadyTime> waiting_for;
  bool stopped = false;
};

}  // namespace lotse::control
