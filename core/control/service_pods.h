// What endpoints and endpointslice have in common: which Services concern a pod, and what a pod offers to one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/control/controller.h"

namespace lotse::control {

struct ServicePort {
  std::string name, protocol, app_protocol;
  int64_t port = 0;  // of the pod
  friend auto operator<=>(const ServicePort&, const ServicePort&) = default;
};

struct ServicePod {
  ObjectPtr object;
  std::vector<std::string> ips;
  std::string node, hostname;  // hostname: where the pod has asked for a name under this Service
  bool ready = false, terminating = false;
  std::vector<ServicePort> ports;
};

// Pods that the Service selects, that have an address and have not ended; by name.
std::vector<ServicePod> pods_of_service(const Object& service, const json::Value& value, const View& view);
// The Services in the pod's namespace that select it, as it is or as it was. Keys.
std::vector<std::string> services_of_pod(const store::Event& event, const View& view);
// Selects pods and is not of type ExternalName.
bool has_endpoints(const json::Value& service);
json::Value target_ref(const Object& pod);

}  // namespace lotse::control
