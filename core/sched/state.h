// The inside of Scheduler.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "core/api/events.h"
#include "core/sched/policy.h"
#include "core/sched/queue.h"
#include "core/sched/scheduler.h"

namespace lotse::sched {

class Scheduler::State : public std::enable_shared_from_this<State> {
 public:
  State(store::Store& store, api::Handler& handler, Loop& loop, Loop& worker, std::vector<PolicySlot> policies,
        Settings settings);

  // follow.cc: what happens in the cluster
  Status start();
  void stop();
  void follow();
  void on_event(const store::Event& event);
  void on_pod(const ObjectPtr& pod, const ObjectPtr& previous);
  void on_pod_gone(const ObjectPtr& pod);
  void on_node(const ObjectPtr& node, const ObjectPtr& previous);
  void on_node_gone(const std::string& name);
  void on_budget(const store::Key& key, const ObjectPtr& budget);
  void on_namespaces();
  void relist();
  void set_policies(std::vector<PolicySlot> next);
  bool ours(std::string_view scheduler_name) const;
  void start_again();

  // tell.cc: what the policies are told
  std::shared_ptr<PodForm> form(const ObjectPtr& pod);
  void tell_pod(std::shared_ptr<const PodForm> form, const std::string& node, const lotse_scheduler* except = nullptr);
  void tell_pod_gone(const std::string& uid);
  void flush();  // hands what has gathered to the worker
  bool breaks_budget(const ObjectHeader& pod) const;

  // place.cc: batches and answers
  void pump();
  void wait();
  void on_answers(const lotse_scheduler* policy, std::vector<WaitingPtr> batch,
                  std::vector<std::shared_ptr<const PodForm>> forms, std::vector<Answer> answers);
  void assign(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const Answer& answer,
              const lotse_scheduler* policy);
  void refuse(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const Answer& answer);
  void preempt(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const Answer& answer);
  void nominate(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const std::string& node);

  // writes.cc: requests
  void send(api::Request request, std::function<void(Status)> done);
  void send_next();
  void bind(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const std::string& node);
  void bound(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const std::string& node,
             const Status& status);
  void patch_status(const ObjectPtr& pod, json::Value status);
  void delete_victim(const ObjectPtr& victim, const PodForm& preemptor, const std::string& node);
  void event(const ObjectPtr& about, const char* type, const char* reason, std::string message);
  void send_events();
  api::Request request(api::Verb verb, std::string_view resource, const ObjectPtr& object) const;

  store::Store& store;
  api::Handler& handler;
  Loop& loop;
  Loop& worker;
  std::shared_ptr<const std::vector<PolicySlot>> policies;  // what was posted holds those of its time
  Settings settings;
  std::shared_ptr<const security::User> user;
  api::EventRecorder recorder{"default-scheduler"};
  std::unique_ptr<store::Cursor> cursor;
  Queue queue;
  Counters counters;
  bool stopped = false;
  bool asking = false;    // a batch is with the worker
  uint32_t happened = 0;  // Wake bits gathered while the ring is read
  uint64_t batches = 0;
  std::vector<std::function<void()>> told;               // for the worker, in order
  std::unordered_map<std::string, std::string> assumed;  // uid -> node, until the binding is seen
  std::unordered_set<std::string> nodes, pods;           // names and uids that the policies know
  std::unordered_set<std::string> selecting;             // "ns/name" of pods that select namespaces
  struct Budget {
    std::string ns;
    LabelSelector selector;
    bool exhausted = false;
  };
  std::map<std::string, Budget> budgets;
  struct Write {
    api::Request request;
    std::function<void(Status)> done;
  };
  std::deque<Write> writes;
  size_t writes_in_flight = 0;
  struct QueuedEvent {
    ObjectPtr about;
    const char *type, *reason;
    std::string message;
  };
  std::deque<QueuedEvent> events;
  size_t events_in_flight = 0;
  Handle timer, retry;
  std::optional<SteadyTime> waiting_for;
};

}  // namespace lotse::sched
