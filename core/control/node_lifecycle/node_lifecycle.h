// node-lifecycle: a node whose Lease is no longer renewed is marked, tainted, and its pods are no longer ready. What a
// node says of itself (conditions, cordon) becomes taints too.
//
// Judged is by when a change was seen here, never by the node's clock. After the start, or when leadership has moved
// here, nothing is judged before a full grace period. While not one node is ready the fault is more likely here: then
// no pod is evicted.
#pragma once
#include <map>
#include <set>

#include "core/control/all.h"

namespace lotse::control {

class NodeLifecycleController : public Controller {
 public:
  explicit NodeLifecycleController(NodeLifecycleSettings settings) : settings_(settings) {}
  std::string_view name() const override { return "node-lifecycle"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  struct Seen {
    std::string said;  // renewTime and heartbeats, as text: only whether they change counts
    WallTime at{};
    bool ever = false;  // has renewed anything
  };
  // Fills in Unknown where the node has gone silent; true if conditions changed.
  bool judge(const std::string& node, json::Value* value, const View& view, WallTime now, Outcome* out);
  bool all_silent() const;

  NodeLifecycleSettings settings_;
  std::map<std::string, Seen> seen_;
  std::map<std::string, bool> ready_;  // by node
  bool was_silent_ = false;
};

// The taints that a node's conditions call for. evict: NoExecute ones too.
std::vector<json::Value> taints_for(const json::Value& node, bool evict, WallTime now);

}  // namespace lotse::control
