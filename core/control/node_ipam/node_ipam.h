// node-ipam: gives every node a part of the pod network: a /24 of IPv4, a /64 of IPv6. What was given is kept in
// spec.podCIDRs and is never taken back while the node exists.
#pragma once
#include <map>
#include <set>

#include "core/control/addresses.h"
#include "core/control/controller.h"

namespace lotse::control {

class NodeIpamController : public Controller {
 public:
  explicit NodeIpamController(const std::vector<std::string>& pod_cidrs);
  std::string_view name() const override { return "node-ipam"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  std::vector<std::string> take(const std::string& node);
  void give_back(const std::string& node);
  struct Pool {
    Range range;
    int bits;
    std::set<std::string> used;
    uint64_t next = 0;  // where to look first: parts are not given out again at once
  };
  std::vector<Pool> pools_;
  std::map<std::string, std::vector<std::string>> given_;  // by node, also those not written down yet
};

}  // namespace lotse::control
