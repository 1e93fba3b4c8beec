// What an Agent is made of. Its parts: agent_start.cc (finding things again, the order of the start), agent_pods.cc
// (which pods there are), agent_care.cc (what is looked at from time to time), agent_streams.cc (the master's calls).
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/agent/agent.h"
#include "core/agent/checkpoint.h"
#include "core/agent/deferred_stream.h"
#include "core/agent/eviction.h"
#include "core/agent/local_storage.h"
#include "core/agent/log_stream.h"
#include "core/agent/node_status.h"
#include "core/agent/pod_worker.h"

namespace lotse::agent {

// What was seen the last time that the agent looked around.
struct CareRound {
  NodePressure pressure;
  std::map<std::string, StorageUse> storage;  // by uid, of the pods that it matters for
};

struct Agent::Impl : std::enable_shared_from_this<Agent::Impl> {
  Config config;
  api::Client& client;
  Runtime& runtime;
  Loop& loop;
  WorkerPool& pool;
  std::unique_ptr<RuntimeEvents> own_events;
  EventRecorder recorder;
  Images images;
  ReferenceCache references;
  std::unique_ptr<HandlerRunner> handlers;
  PodContext context;
  std::unique_ptr<Checkpoint> checkpoint;
  NodeState node_state;
  std::unique_ptr<NodeReporter> node;
  std::function<void(const ObjectPtr&)> on_node;
  std::map<std::string, std::shared_ptr<PodWorker>> pods;  // by uid
  std::unique_ptr<Reflector> pod_source, service_source;
  std::map<std::string, ObjectPtr> services;
  std::map<std::string, Found> found;   // by uid: what the runtime has that no pod was seen for yet
  std::multimap<std::string, std::weak_ptr<LogStream>> readers;  // log streams that follow, by pod uid
  Handle lost, care_timer, start_timer, gc_timer, image_timer;
  Duration start_delay{0};
  bool api_seen = false;    // the list of pods has come from the API at least once
  bool runtime_seen = false, stopped = false, caring = false, weighing = false;
  bool reclaimed = false;   // a full disk: what nobody uses has been removed
  int64_t burstable_m = -1;  // what the cgroup of burstable pods weighs; -1: nobody has said yet
  SteadyTime memory_pressure_since{}, disk_pressure_since{};
  std::map<std::string, std::pair<std::string, std::string>> early_faults;

  Impl(Config c, api::Client& cl, Runtime& r, Loop& l, WorkerPool& p, RuntimeEvents* events);
  // agent_start.cc
  void start();
  void read_checkpoint();
  void ask_runtime();
  void runtime_answered(const MsgValue& info);
  void look_for_pods();
  void take_found(const MsgValue& sandboxes, const MsgValue& containers);
  void follow_api();
  void save();
  void retry(std::function<void()> fn);
  // agent_pods.cc
  void see_all(std::vector<ObjectPtr> all);
  void see(const ObjectPtr& object);
  void unsee(const std::string& uid);
  void add(const ObjectPtr& object);
  void admit(PodWorker& worker);
  void finished(const std::string& uid);
  void weigh_burstable();
  void remove_orphans();
  void services_changed();
  // agent_care.cc
  void care();
  void collect_images(bool urgent);
  void refresh_images();
  void rotate();
  // agent_eviction.cc
  void set_conditions(bool memory, bool disk, bool pids);
  void check_pressure(const std::shared_ptr<CareRound>& round);
  void evict(PodWorker& pod, const std::string& message);
  void enforce_storage_limits(CareRound& round, const std::map<std::string, const MsgValue*>& stats);
  void evict_one(const Shortage& shortage, const CareRound& round, const std::map<std::string, const MsgValue*>& stats);
  // agent_streams.cc
  Result<StreamPtr> open(std::string_view kind, std::string_view arguments, SinkPtr sink);
  void open_on_loop(const std::string& kind, const MsgValue& arguments, const SinkPtr& sink,
                    const std::shared_ptr<DeferredStream::Core>& core);
  Result<StreamPtr> open_logs(PodWorker& pod, const MsgValue& arguments, const SinkPtr& sink);
  Result<StreamPtr> open_stats(const MsgValue& arguments, const SinkPtr& sink);
  Result<PodWorker*> find_pod(const MsgValue& arguments);
};

}  // namespace lotse::agent
