// NodeReporter: registers our Node, keeps its status true (on change, else every few minutes), renews the Lease if that
// is ours to do. [loop]
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/node_facts.h"
#include "core/agent/reflector.h"
#include "core/base/msgpack.h"

namespace lotse::agent {

// Everything that a node's status is made from.
struct NodeState {
  NodeFacts facts;
  std::map<std::string, std::string> capacity, allocatable;
  Status runtime{Reason::kServiceUnavailable, "the container runtime has not answered yet"}, network;
  std::string runtime_name, runtime_version;
  bool memory_pressure = false, disk_pressure = false, pid_pressure = false;
  struct Fault { std::string reason, message; };
  std::map<std::string, Fault> faults;
  std::vector<MsgValue> images;
};

// Pure: the object as it is registered; and the status patch from what the document says, null if nothing differs but
// heartbeats and `heartbeat` is not set.
json::Value make_node(const Config& config, const NodeState& state);
json::Value node_status_patch(const Config& config, const NodeState& state, const json::Value& node, WallTime now,
                              bool heartbeat);

class NodeReporter {
 public:
  NodeReporter(const Config& config, api::Client& client, Loop& loop, NodeState& state,
               std::function<void(const ObjectPtr&)> seen);
  ~NodeReporter();
  void start();
  void changed();  // something in the NodeState is different
  const ObjectPtr& node() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
