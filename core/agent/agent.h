// Agent: the worker of one node. It registers the Node, follows the pods that are bound to it, makes the runtime match
// them, and reports what is. It talks to the cluster through api::Client only, whichever way that goes.
//
// Everything belongs to one loop; what blocks (files, mounts, cgroups) goes to the pool and comes back by post. Several
// agents may share a process, a loop, a pool and a runtime (hollow nodes): there are no globals here.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/loop.h"
#include "core/base/stream.h"
#include "core/object/object.h"

namespace lotse::api {
class Client;
}

namespace lotse::agent {

class Runtime;
class RuntimeEvents;
class Checkpoint;
struct NodePressure;

struct Taint {
  std::string key, value, effect;
};

// How images are pulled from one registry. The files are read at each pull.
struct Registry {
  std::string host;  // "docker.io"
  std::vector<std::string> mirrors;
  std::string ca_file, username, password, password_file;
  bool insecure = false;
};

struct Config {
  std::string node_name;
  std::vector<std::string> node_ips;        // one a family, the first is the primary
  std::string hostname;                     // empty: node_name
  Labels labels;                            // beside kubernetes.io/{hostname,os,arch}
  std::vector<Taint> taints;                // at the first registration
  std::string version = "v1.36.0";          // nodeInfo.kubeletVersion

  std::string data_dir;                     // DIR: pods/, agent/, images/
  std::string pod_log_dir = "/var/log/pods";
  std::string container_log_dir = "/var/log/containers";  // links; empty: none
  std::string image_dir;                    // *.tar imported at the start; empty: DIR/images
  std::string pause_image;                  // reference of the sandbox image
  std::string checkpoint_key;               // secret bytes; empty: no checkpoint is kept
  std::string resolv_conf = "/etc/resolv.conf";

  std::vector<std::string> cluster_dns;
  std::string cluster_domain = "cluster.local";
  std::string cni_dir;                      // conflist for the runtime; empty: the runtime's own

  std::string cgroup_mount = "/sys/fs/cgroup";
  std::string cgroup_root = "kubepods";     // the parent of all pods' cgroups; empty: cgroups are left alone
  int pods_max = 110;
  std::map<std::string, std::string> capacity;   // quantities that replace what /proc says ("cpu", "memory", ...)
  std::map<std::string, std::string> reserved;   // taken off allocatable

  bool hollow = false;      // no files, mounts, cgroups and log files: the runtime has no real containers
  bool renew_lease = false; // renew our Lease ourselves: for the case that no master hears pings from us
  Duration lease_period = std::chrono::seconds(10);
  Duration status_period = std::chrono::minutes(5);

  struct Pressure {         // hard eviction thresholds; 0: none
    int64_t memory_available_bytes = 100ll * 1024 * 1024;
    int disk_available_percent = 10, inodes_free_percent = 5;
    Duration transition_period = std::chrono::minutes(5);
  } pressure;
  Duration care_period = std::chrono::seconds(10);  // how often pressure, storage limits and logs are looked at
  std::function<NodePressure()> read_pressure;      // [worker] null: the machine's own
  struct Images {
    int gc_high_percent = 85, gc_low_percent = 80;
    Duration age_min = std::chrono::minutes(2);
    Duration gc_period = std::chrono::minutes(5);
  } images;
  std::vector<Registry> registries;
  struct Logs {
    int64_t file_bytes_max = 10ll * 1024 * 1024;
    int files_max = 5;      // of a container, with the one that is written to
  } logs;
};

class Agent {
 public:
  // REQUIRES: client, runtime, loop, pool and events outlive the agent; client's loop is `loop`. Agents that share a
  // runtime share one RuntimeEvents, which somebody has started; null: the agent follows the runtime's events itself.
  Agent(Config config, api::Client& client, Runtime& runtime, Loop& loop, WorkerPool& pool,
        RuntimeEvents* events = nullptr);
  ~Agent();

  // [loop] Finds containers again (checkpoint, runtime), registers the node, follows its pods.
  void start();
  // [loop] Ends all activity; containers go on running. `done` comes once nothing of ours is under way.
  void stop(std::function<void()> done);

  // [loop] What the pod network says: pods that need it wait, and Ready is False, until it is ok. Ok from the start if
  // cni_dir is empty.
  void set_network(Status status);
  // [loop] Called with our Node object whenever it changes (pod CIDRs, masters' wishes); set before start.
  void on_node(std::function<void(const ObjectPtr&)> fn);
  // [any] Told by the loader of plugins: what an operator must see; shown as a node condition and an event.
  void raise_fault(std::string id, std::string reason, std::string message);
  void clear_fault(std::string id);

  // [any] The master's calls: kind is "logs", "exec", "attach", "portforward", "proxy" or "stats", arguments a
  // MessagePack map as core/api/README.md documents. The sink may be called before open returns only from other
  // threads.
  Result<StreamPtr> open(std::string_view kind, std::string_view arguments, SinkPtr sink);

  // [loop] Sealed storage that survives kill -9, shared with the pod network and DNS; null without a key.
  Checkpoint* checkpoint();
  const Config& config() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse::agent
