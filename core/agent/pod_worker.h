// PodWorker: carries out what the pod state machine decides, for one pod: asks the runtime, prepares files on the pool,
// runs hooks and probes, and reports the status. Everything that comes back is the next input of step(). [loop]
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/admission.h"
#include "core/agent/pod_context.h"
#include "core/agent/pod_dirs.h"
#include "core/agent/pod_state.h"
#include "core/agent/pod_tokens.h"
#include "core/agent/prober.h"

namespace lotse::agent {

// What the runtime has of a pod, found at the start.
struct Found {
  std::vector<MsgValue> sandboxes, containers;
};
Observation observation(const MsgValue& container_status);
// Puts what was found into a fresh state. Pure.
void recover(PodState& state, const Found& found, const Now& now, Outcome* out);

class PodWorker : public std::enable_shared_from_this<PodWorker> {
 public:
  PodWorker(PodContext& context, ObjectPtr object);
  ~PodWorker();
  // First call of all: with what the runtime has of it, if anything.
  void begin(const Found& found);
  void admit();
  void reject(std::string reason, std::string message);
  void update(ObjectPtr object);
  void gone();
  void evict(std::string reason, std::string message, int64_t grace_s);
  void network_changed();
  void references_changed();
  void look_again();  // runtime events were lost

  const ObjectPtr& object() const { return object_; }
  // The object, parsed: once for all who ask while something goes on; forgotten when the pod has come to rest.
  std::shared_ptr<const json::Value> document() const;
  const PodClaims& claims() const;
  const PodState& state() const { return state_; }
  const PodDirs& dirs() const { return dirs_; }
  // The runtime's id of a container that runs, or has run.
  Result<std::string> container_id(std::string_view name, bool running) const;

 private:
  friend class PodFiles;
  void feed(Input input);
  void apply(Outcome outcome);
  void act(const Action& action);
  void arm(std::optional<SteadyTime> wake);
  Now now() const;
  Input about(Input::Kind kind, int container = -1) const;
  PodFacts facts() const;

  // pod_sandbox.cc
  void run_sandbox(int attempt);
  void sandbox_made(int attempt, Result<MsgValue> answer);
  void stop_sandbox(std::string id, Duration delay);
  void follow_sandbox(const std::string& id);
  void on_runtime_event(const RuntimeEvent& event);
  void check_sandbox(const std::string& id);
  void remove_all(Duration delay);
  void clean_up(Duration delay);
  void delete_object();
  // pod_container.cc
  void ensure_image(int container);
  void start_container(int container, int attempt);
  void create_container(int container, int attempt, MsgValue request);
  void started(int container, std::string id, Result<MsgValue> answer);
  void start_failed(int container, std::string reason, std::string message);
  void look_at(std::string id, std::function<void()> then = nullptr);
  void observed(const MsgValue& status, std::function<void()> then);
  void post_start(int container);
  void kill(int container, int64_t grace_s);
  void stop_container(int container, std::string id, Duration grace, uint64_t round);
  // pod_files.cc
  void prepare_volumes();
  void refresh_volumes();
  std::string cgroup_parent() const;
  // pod_probes.cc
  void start_probes(int container);
  void emit(const Action& action);
  EventSubject subject(int container) const;
  // pod_report.cc
  bool coming_up() const;
  void report();
  void report_later();
  void send_report();
  void reported(Result<ObjectPtr> answer);

  void call(Call what, MsgValue request, Duration timeout, std::function<void(Result<MsgValue>)> answer);
  void later(Duration delay, std::function<void()> fn);
  void on_disk(std::function<Status()> work, std::function<void(Status)> then);

  void set_object(ObjectPtr object);

  PodContext& c_;
  ObjectPtr object_;
  mutable std::shared_ptr<const json::Value> document_;
  mutable std::optional<PodClaims> claims_;
  PodState state_;
  PodDirs dirs_;
  Handle wake_;
  std::optional<SteadyTime> wake_at_;
  std::map<uint64_t, Handle> timers_;
  uint64_t timer_next_ = 1;
  std::set<RefKey> refs_;
  std::unique_ptr<PodTokens> tokens_;
  std::map<std::string, std::string> volumes_;
  bool refreshing_ = false, refresh_again_ = false;
  std::map<std::string, ImageInfo> image_info_;  // by container
  std::map<int, std::unique_ptr<Prober>> probers_;
  std::map<int, Handle> hooks_;      // postStart
  struct Killing { Handle hook; uint64_t round = 0; };
  std::map<int, Killing> kills_;
  std::map<std::string, Handle> followed_;  // sandboxes, by id
  bool report_due_ = false, reporting_ = false, deleting_ = false, working_ = false;
  Duration report_delay_{0};
  Handle progress_;                // a report waits for the next step
  std::string last_report_;        // the patch that made last_revision_ of the object
  uint64_t last_revision_ = 0;
  std::vector<Input> queue_;
};

}  // namespace lotse::agent
