// The pod state machine: step(state, input, now) -> actions. It does nothing itself: PodWorker (pod_worker.h) carries
// the actions out and comes back with what happened as the next inputs. So each rule of a pod's life can be tested as a
// story.
//
//   pod seen -> admitted -> volumes -> sandbox -> init containers in order (sidecars stay) -> main containers
//            -> stopping (deleted, evicted, deadline, finished) -> sandbox stopped -> cleaned up -> object deleted
//
// Every decision is taken from the state alone, so inputs may be lost or repeated: a tick is enough to go on.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/agent/pod_spec.h"

namespace lotse::agent {

struct Now {
  WallTime wall;      // what is reported
  SteadyTime steady;  // what is measured
};

// 10 s, doubling to 5 min; forgotten once twice the maximum has passed between its use and the next event.
class Backoff {
 public:
  // When what happened at `event` may be followed by another try.
  SteadyTime ready_at(SteadyTime event) const;
  void next(SteadyTime event, SteadyTime now);
  void reset() { *this = Backoff(); }
  Duration current() const { return delay_; }
  static constexpr Duration kFirst = std::chrono::seconds(10);
  static constexpr Duration kMost = std::chrono::minutes(5);

 private:
  bool expired(SteadyTime event) const { return event - used_ > 2 * kMost; }
  Duration delay_{0};
  SteadyTime used_{};
};

// A container as the runtime reports it.
struct Observation {
  enum class Phase : uint8_t { kCreated, kRunning, kExited, kUnknown } phase = Phase::kUnknown;
  std::string id, sandbox, name, image_id, reason, message;
  int attempt = 0, exit_code = 0;
  WallTime started{}, finished{};
};

struct Terminated {
  std::string id, reason, message;
  int exit_code = 0;
  WallTime started{}, finished{};
};

struct ContainerState {
  enum class Phase : uint8_t {
    kWaiting,   // there is none, or the last one has ended and the next waits
    kImage,     // its image is being looked for or pulled
    kStarting,  // being created and started, or its postStart hook runs
    kRunning,
    kExited,
  } phase = Phase::kWaiting;
  std::string id, image_id, image;  // image: what it was started from
  int attempt = -1;                 // of the current one; restartCount
  std::string reason{}, message{};      // why it waits
  WallTime started{};
  std::optional<Terminated> end;    // of the current one, when kExited
  std::optional<Terminated> last;   // of the one before
  bool has_run = false;             // postStart is done
  bool startup_ok = false, ready_ok = false;  // by probes
  bool killing = false;
  int64_t kill_grace_s = 0;
  SteadyTime ended{};               // when its end, or its failure to start, was seen
  Backoff crash, pull;
  SteadyTime pull_failed{}, retry_at{};
  bool announced = false;           // the BackOff event of this wait was sent
  bool running() const { return phase == Phase::kRunning; }
  bool busy() const { return phase == Phase::kImage || phase == Phase::kStarting; }
};

struct Stop {
  enum class Why : uint8_t { kFinished, kDeleted, kEvicted, kDeadline, kRejected } why;
  std::string reason{}, message{};  // of the pod's status; empty: as computed
  int64_t grace_s = 30;
  SteadyTime since{};
};

struct PodState {
  PodSpecPtr spec;
  std::vector<ContainerState> containers;  // as spec->containers
  enum class Sandbox : uint8_t { kNone, kStarting, kReady, kStopping, kStopped } sandbox = Sandbox::kNone;
  std::string sandbox_id;
  int sandbox_attempt = 0;      // of the next one
  std::vector<std::string> ips;
  SteadyTime sandbox_retry{};
  Duration sandbox_delay{0};
  enum class Volumes : uint8_t { kNone, kPreparing, kReady } volumes = Volumes::kNone;
  SteadyTime volumes_retry{};
  Duration volumes_delay{0};
  bool network_ok = true;
  bool admitted = false;
  bool initialized = false;     // all init containers have completed in this sandbox
  bool gone = false;            // the API has no such object any more
  std::optional<Stop> stop;
  enum class Cleanup : uint8_t { kNone, kRunning, kDone } cleanup = Cleanup::kNone;
  bool deletion_seen = false, delete_sent = false, remove_sent = false, removed = false;
  WallTime start_time{};
  bool any_running() const;
  bool any_busy() const;
  bool finished() const { return removed; }  // nothing is left to do, ever
};

struct Input {
  enum class Kind : uint8_t {
    kTick,
    kPod,              // spec
    kGone,             // the object was deleted
    kAdmitted,
    kReject,           // reason, text
    kNetwork,          // ok
    kVolumesReady,
    kVolumesFailed,    // text; ok: nothing failed, but something they are made from was not read yet
    kVolumesChanged,   // what they are made from is there now: try at once
    kSandboxReady,     // id, ips
    kSandboxFailed,    // text
    kSandboxLost,      // id: it is not ready any more
    kSandboxStopped,
    kImageReady,       // container, id: the image's
    kImageFailed,      // container, reason, text
    kStartFailed,      // container, reason, text
    kObserved,         // container, seen
    kVanished,         // container: the runtime no longer knows it
    kHookDone,         // container, ok, text: postStart
    kProbe,            // container, probe, ok, text
    kEvict,            // reason, text, number: grace
    kCleaned,
    kDeleted,          // the API took the final delete (or had none to do)
    kDeleteFailed,
    kRemoved,          // the runtime's last traces are gone
  } kind = Kind::kTick;
  int container = -1;
  bool ok = false;
  ProbeKind probe = ProbeKind::kReadiness;
  int64_t number = 0;
  std::string id{}, reason{}, text{};
  std::vector<std::string> ips;
  PodSpecPtr spec;
  Observation seen;
};

struct Action {
  enum class Kind : uint8_t {
    kPrepareVolumes,
    kRunSandbox,        // number: attempt
    kStopSandbox,       // id
    kEnsureImage,       // container
    kStart,             // container, number: attempt, id: the image
    kKill,              // container, number: grace in seconds (with its preStop hook)
    kRemoveContainer,   // id
    kStartProbes,       // container
    kStopProbes,        // container; -1: all
    kEvent,             // warning, reason, text, container or -1
    kCleanUp,           // volumes, cgroups, files
    kDeleteObject,
    kRemoveAll,         // sandboxes and containers out of the runtime, logs
  } kind;
  int container = -1;
  bool warning = false;
  int64_t number = 0;
  std::string id{}, reason{}, text{};
};

struct Outcome {
  std::vector<Action> actions;
  std::optional<SteadyTime> wake;  // tick again then at the latest
};

Outcome step(PodState& state, const Input& input, const Now& now);

// Parts of step, each in a file of its own.
void absorb(PodState& state, const Input& input, const Now& now, Outcome* out);   // pod_absorb.cc: what happened
void decide(PodState& state, const Now& now, Outcome* out);  // pod_decide.cc: what to do while it is to run
void decide_stop(PodState& state, const Now& now, Outcome* out);                  // pod_stop.cc: and when it is not
bool wants_restart(const ContainerSpec& spec, const ContainerState& state);
bool failed_to_initialize(const PodState& state);
void wake_at(Outcome* out, SteadyTime when);
void event(Outcome* out, int container, bool warning, std::string reason, std::string text);

}  // namespace lotse::agent
