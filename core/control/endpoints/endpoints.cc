#include "core/control/endpoints/endpoints.h"

#include <algorithm>
#include <map>

#include "core/control/action.h"
#include "core/control/addresses.h"
#include "core/control/service_pods.h"

namespace lotse::control {
namespace {
using json::Value;
constexpr size_t kAddressesMax = 1000;
constexpr const char* kOverCapacity = "endpoints.kubernetes.io/over-capacity";

struct Addresses {
  std::map<std::string, Value> ready, waiting;  // by IP, so that the order never changes by itself
};

Value address_of(const ServicePod& pod, const std::string& ip) {
  Value v = Value::object({{"ip", ip}, {"targetRef", target_ref(*pod.object)}});
  if (!pod.node.empty()) v.set("nodeName", pod.node);
  if (!pod.hostname.empty()) v.set("hostname", pod.hostname);
  return v;
}

Value list_of(const std::map<std::string, Value>& addresses, size_t* room) {
  Value out = Value::array();
  for (const auto& [ip, address] : addresses) {
    if (*room == 0) break;
    --*room;
    out.push(address);
  }
  return out;
}

// Addresses with the same ports stand together.
Value subsets_of(const std::vector<ServicePod>& pods, const Value& service, bool* over) {
  std::map<std::vector<ServicePort>, Addresses> groups;
  const bool publish = service["spec"]["publishNotReadyAddresses"].boolean();
  const bool v6 = service["spec"]["ipFamilies"].at(0).str() == "IPv6";
  const bool headless = service["spec"]["clusterIP"].str() == "None";
  size_t total = 0;
  for (const ServicePod& pod : pods) {
    if (pod.terminating && !publish) continue;
    auto ip = std::find_if(pod.ips.begin(), pod.ips.end(), [&](auto& i) { return is_v6(i) == v6; });
    if (ip == pod.ips.end() || (pod.ports.empty() && !headless)) continue;
    std::vector<ServicePort> ports = pod.ports;
    std::sort(ports.begin(), ports.end());
    Addresses& group = groups[ports];
    (pod.ready || publish ? group.ready : group.waiting).insert_or_assign(*ip, address_of(pod, *ip));
    ++total;
  }
  *over = total > kAddressesMax;
  size_t room = kAddressesMax;
  Value out = Value::array();
  for (const auto& [ports, group] : groups) {
    Value subset, list = Value::array();
    Value ready = list_of(group.ready, &room), waiting = list_of(group.waiting, &room);
    if (ready.empty() && waiting.empty()) continue;
    if (!ready.empty()) subset.set("addresses", std::move(ready));
    if (!waiting.empty()) subset.set("notReadyAddresses", std::move(waiting));
    for (const ServicePort& p : ports) {
      Value& port = list.push(Value::object({{"port", p.port}, {"protocol", p.protocol}}));
      if (!p.name.empty()) port.set("name", p.name);
      if (!p.app_protocol.empty()) port.set("appProtocol", p.app_protocol);
    }
    if (!list.empty()) subset.set("ports", std::move(list));
    out.push(std::move(subset));
  }
  return out;
}
}  // namespace

std::vector<store::ResourceName> EndpointsController::resources() const {
  return {kServices.name(), kPods.name(), kEndpoints.name()};
}

std::vector<std::string> EndpointsController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kPods.name()) return services_of_pod(event, view);
  return {key_of(event.key)};
}

Outcome EndpointsController::reconcile(const std::string& key, const View& view, WallTime) {
  auto [ns, name] = split_key(key);
  ObjectPtr service = view.get(kServices.name(), ns, name), old = view.get(kEndpoints.name(), ns, name);
  Outcome out;
  const Value have = old ? old->value() : Value();
  if (!service) {
    // Only what this controller has made goes with its Service: others keep Endpoints for things of their own.
    if (old && have["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"].str() == "endpoint-controller")
      out.actions.push_back(remove(kEndpoints, *old));
    return out;
  }
  const Value v = service->value();
  if (!has_endpoints(v)) return out;
  bool over = false;
  Value subsets = subsets_of(pods_of_service(*service, v, view), v, &over);
  Value labels = v["metadata"]["labels"];
  labels.set("endpoints.kubernetes.io/managed-by", "endpoint-controller");
  if (v["spec"]["clusterIP"].str() == "None") labels.set("service.kubernetes.io/headless", "");
  const bool same_subsets = have["subsets"] == subsets || (have["subsets"].empty() && subsets.empty());
  if (old && same_subsets && have["metadata"]["labels"] == labels &&
      have["metadata"]["annotations"].has(kOverCapacity) == over)
    return out;
  Value changed = old ? have : Value::object();
  changed["metadata"].set("name", name).set("namespace", ns).set("labels", std::move(labels));
  if (over)
    changed["metadata"]["annotations"].set(kOverCapacity, "truncated");
  else if (old && have["metadata"]["annotations"].has(kOverCapacity))
    changed["metadata"]["annotations"].erase(kOverCapacity);
  if (subsets.empty())
    changed.erase("subsets");
  else
    changed.set("subsets", std::move(subsets));
  out.actions.push_back(old ? update(kEndpoints, std::move(changed)) : create(kEndpoints, ns, std::move(changed)));
  return out;
}

}  // namespace lotse::control
