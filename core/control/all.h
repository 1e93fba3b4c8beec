// All controllers of a master, made from what the cluster is set to.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/control/controller.h"

namespace lotse::control {

// node-lifecycle. The figures are upstream's flags of the controller manager; tests have shorter ones.
struct NodeLifecycleSettings {
  Duration grace = std::chrono::seconds(40);        // without a renewed Lease, until a node counts as unreachable
  Duration start_grace = std::chrono::seconds(60);  // of a node that has never said anything
};

struct Settings {
  std::vector<std::string> pod_cidrs;      // node-ipam: a /24 a node (/64 of IPv6)
  std::vector<std::string> service_cidrs;  // kubernetes: the first address, kube-dns: the tenth
  std::string advertise_address;           // where the API is reached from the nodes
  uint16_t api_port = 6443;
  std::string ca_pem;  // kube-root-ca.crt
  NodeLifecycleSettings node_lifecycle;
  bool load_balancer = true;            // service: LoadBalancer Services get the nodes' addresses
  size_t terminated_pods_max = 12500;   // pod-garbage-collector
  std::function<std::string()> suffix;  // five letters for a pod's name; null: random ones
  // What there is that a namespace may contain and that may have owners: group, version, resource; for namespace and
  // garbage-collector, which delete whatever there is.
  struct Resource {
    std::string group, version, resource, kind;
    bool namespaced;
  };
  std::vector<Resource> resources;
};

// All kinds of the schema table that are stored.
std::vector<Settings::Resource> schema_resources();

std::vector<std::unique_ptr<Controller>> all_controllers(const Settings& settings);

}  // namespace lotse::control
