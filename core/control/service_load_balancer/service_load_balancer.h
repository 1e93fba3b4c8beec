// service-load-balancer: Services of type LoadBalancer get the addresses of the ready nodes, which answer on the Service's ports by
// the proxy. Those with a spec.loadBalancerClass are another's.
//
//   - a node counts while it is ready and has no label node.kubernetes.io/exclude-from-external-load-balancers; with an external
//     policy of Local only while an endpoint of the Service is ready on it. While no node is ready nothing is taken away;
//   - an address and port belong to one Service: the oldest. The others wait, and say so in an event.
//
// All of them are looked at together, as what one gets depends on the others; its key is "all".
#pragma once
#include <set>

#include "core/control/controller.h"

namespace lotse::control {

class ServiceLoadBalancerController : public Controller {
 public:
  std::string_view name() const override { return "service"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  std::set<std::string> told_;  // uids of those that wait and have said so
};

}  // namespace lotse::control
