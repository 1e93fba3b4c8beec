// The API server: authenticate -> authorize -> admit (default, mutate, prune, validate) -> commit -> reply, for every
// request, whoever sent it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/api/request.h"
#include "core/base/loop.h"
#include "core/base/stream.h"
#include "core/security/security.h"
#include "core/store/store.h"

namespace lotse::api {

// The way to a node's agent: logs, exec, attach, portforward, proxy, stats. Implemented by the bus.
class Nodes {
 public:
  virtual ~Nodes() = default;
  // Opens a stream on the agent of `node`. kind: "logs", "exec", "attach", "portforward", "proxy", "stats"; arguments: a MessagePack
  // map with documented keys (core/bus/README.md). kServiceUnavailable when the node has no session.
  virtual Result<StreamPtr> open(const std::string& node, std::string_view kind, Bytes arguments, SinkPtr sink) = 0;
  virtual bool connected(const std::string& node) const = 0;
};

struct ServerConfig {
  std::vector<std::string> service_cidrs;   // one or two
  std::vector<std::string> pod_cidrs;
  std::string cluster_domain = "cluster.local";
  std::pair<int, int> node_ports{30000, 32767};
  std::string version;                      // "v1.36.0+lotse.0.1.0"
  Duration event_ttl = std::chrono::hours(1);
};

class Server : public Handler {
 public:
  static std::unique_ptr<Server> make(store::Store& store, security::Authority& authority, security::TokenIssuer& tokens,
                                      Loop& loop, WorkerPool& pool, Clock& clock, ServerConfig config);
  virtual void set_nodes(Nodes* nodes) = 0;
  virtual void set_ready(std::string check, bool ready) = 0;   // named checks of /readyz
  virtual security::Authorizer& authorizer() = 0;
  // At start: bootstrap RBAC, system namespaces, priority classes; done once all of it is committed.
  virtual void bootstrap(std::function<void(Status)> done) = 0;
  // Counters and gauges for /metrics from other rooms: name, help, and a function that gives the value.
  virtual void add_metric(std::string name, std::string help, std::function<double()> value) = 0;
};

}  // namespace lotse::api
