// PodSpec: what the pod state machine must know of a Pod object, taken out of the document once a revision. Whatever is
// needed only at the moment a container is made (env, mounts, security context) is read from the document then.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/object/object.h"

namespace lotse::agent {

// A probe's or hook's way of asking.
struct Handler {
  enum class Kind : uint8_t { kNone, kExec, kHttp, kTcp, kGrpc, kSleep } kind = Kind::kNone;
  std::vector<std::string> command;
  std::string host, path, scheme, service;
  std::string port;  // a number or a container port's name
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t sleep_s = 0;
};

struct Probe {
  Handler handler;
  int delay_s = 0, period_s = 10, timeout_s = 1, success = 1, failure = 3;
  std::optional<int64_t> grace_s;
};
enum class ProbeKind : uint8_t { kStartup, kReadiness, kLiveness };

enum class Role : uint8_t { kInit, kSidecar, kMain, kEphemeral };
enum class Restart : uint8_t { kAlways, kOnFailure, kNever };
enum class Pull : uint8_t { kAlways, kIfNotPresent, kNever };
enum class Qos : uint8_t { kGuaranteed, kBurstable, kBestEffort };
std::string_view qos_name(Qos qos);

struct ContainerSpec {
  std::string name, image;
  Role role = Role::kMain;
  Restart restart = Restart::kAlways;
  Pull pull = Pull::kIfNotPresent;
  std::unique_ptr<const Probe> startup, readiness, liveness;
  std::unique_ptr<const Handler> post_start, pre_stop;
  std::string termination_path;
  bool fallback_to_logs = false;
  std::map<std::string, int> ports;  // by name
  struct Reported {                  // what its status says: how we go on after a restart of ours
    std::string id;
    int restarts = 0;
    bool started = false, ready = false;
  } reported;
};

struct PodSpec {
  std::string ns, name, uid;
  int64_t generation = 0;
  std::vector<ContainerSpec> containers;  // init containers and sidecars in order, then main, then ephemeral ones
  Restart restart = Restart::kAlways;
  Qos qos = Qos::kBestEffort;
  int64_t grace_s = 30;
  std::optional<int64_t> active_deadline_s;
  bool host_network = false;
  bool limits_storage = false;            // some emptyDir or container may keep only so much on the disk
  std::vector<std::string> readiness_gates;
  std::vector<std::string> pull_secrets;
  bool deleting = false;
  int64_t deletion_grace_s = 30;
  std::string phase, status_reason, status_message;  // as last reported
  WallTime start_time{};                             // as last reported; zero: not yet
  int find(std::string_view container) const;        // index, -1: none
  bool terminal() const { return phase == "Succeeded" || phase == "Failed"; }
};
using PodSpecPtr = std::shared_ptr<const PodSpec>;

PodSpecPtr parse_pod(const json::Value& pod);
PodSpecPtr parse_pod(const Object& object);
Qos qos_of(const json::Value& pod);
// A probe's port: a number, or the name of one of the container's ports. 0: there is no such port.
int resolve_port(const ContainerSpec& container, const std::string& port);

}  // namespace lotse::agent
