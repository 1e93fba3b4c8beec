// Cluster: the API as the operator's commands ask it: by the daemon's control socket, as the administrator.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/clock.h"
#include "core/base/msgpack.h"
#include "core/cli/commands.h"
#include "core/cli/facts.h"
#include "core/object/object.h"

namespace lotse::cli {

struct Kind {
  const char *group, *version, *resource;
};
inline constexpr Kind kPods{"", "v1", "pods"}, kNodes{"", "v1", "nodes"}, kNamespaces{"", "v1", "namespaces"}, kEvents{"", "v1", "events"},
    kDisruptionBudgets{"policy", "v1", "poddisruptionbudgets"};

class Cluster {
 public:
  explicit Cluster(std::string data_dir) : data_dir_(std::move(data_dir)) {}
  Result<json::Value> get(const Kind& kind, const std::string& ns, const std::string& name);
  using Options = std::map<std::string, std::string>;
  // revision: of the list, for a watch from there.
  Result<std::vector<ObjectPtr>> list(const Kind& kind, const std::string& ns = {}, const Options& options = {}, std::string* revision = nullptr);
  // Changes after `revision` in all namespaces, until on_event says that it is enough (false), `most` is over or the API ends it.
  Status watch(const Kind& kind, const Options& options, const std::string& revision, Duration most, const std::function<bool(std::string_view type, const json::Value& object)>& on_event);
  // A merge patch; what is made under another (an eviction of a pod); deleted.
  Status patch(const Kind& kind, const std::string& ns, const std::string& name, const json::Value& change);
  Status create(const Kind& kind, const std::string& ns, const std::string& name, const std::string& subresource, const json::Value& object);
  Status remove(const Kind& kind, const std::string& ns, const std::string& name);
  // stats/summary of a node's agent.
  Result<json::Value> stats(const std::string& node);
  int exit_code() const { return exit_code_; }  // of what failed last

 private:
  Result<std::string> ask(MsgValue request);
  MsgValue request(const char* verb, const Kind& kind, const std::string& ns, const std::string& name) const;
  std::string data_dir_;
  int exit_code_ = kExitOk;
};

// Says what failed; the exit code for it.
int failed(const Cluster& cluster, const Status& status, Streams streams);

// `lotse why`: what a pod waits for. `what`: "pod/NAME", "po/NAME" or "NAME".
int explain_pod(Cluster& cluster, const std::string& what, const std::string& ns, Format format, Streams streams);

// `lotse certs`: what expires when. kExitFailed where something has expired, is overdue or cannot be read.
int show_certificates(const std::string& data_dir, WallTime now, Format format, Streams streams);

// `lotse top nodes|pods`: what they use, measured twice with `window` between.
int show_use(Cluster& cluster, bool nodes, const std::string& ns, Duration window, Format format, Streams streams);

struct Drain {
  std::string node;
  Duration timeout{};          // zero: without end
  int64_t grace_s = -1;        // of each pod; -1: its own
  bool delete_empty_dir = false, ignore_daemon_sets = false, force = false;
};
// `lotse node drain`: no new pods come, and those that are there are evicted, which disruption budgets may hold up.
int drain_node(Cluster& cluster, const Drain& wanted, Streams streams);
int uncordon_node(Cluster& cluster, const std::string& node, Streams streams);
// `lotse node remove`: the node is no longer of the cluster, and may come back by a new join string only.
int remove_node(Cluster& cluster, const std::string& node, bool force, Streams streams);

}  // namespace lotse::cli
