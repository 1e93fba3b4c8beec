#include "core/control/service_pods.h"

#include <algorithm>

#include "core/control/action.h"
#include "core/object/cursor.h"

namespace lotse::control {
namespace {
// The number of a Service's targetPort in this pod; nothing if the pod has no port of that name.
std::optional<int64_t> resolve(const json::Value& port, const json::Value& pod) {
  const json::Value& target = port["targetPort"];
  if (!target.is_string()) return target.is_null() || target.integer() == 0 ? port["port"].integer() : target.integer();
  const std::string_view protocol = port["protocol"].str("TCP");
  for (const char* list : {"containers", "initContainers"})
    for (const json::Value& c : pod["spec"][list].items()) {
      if (list[0] == 'i' && c["restartPolicy"].str() != "Always") continue;
      for (const json::Value& p : c["ports"].items())
        if (p["name"].str() == target.str() && p["protocol"].str("TCP") == protocol)
          return p["containerPort"].integer();
    }
  return std::nullopt;
}

ServicePod make(const ObjectPtr& object, const json::Value& pod, const json::Value& service) {
  ServicePod out;
  out.object = object;
  for (const json::Value& ip : pod["status"]["podIPs"].items()) out.ips.emplace_back(ip["ip"].str());
  if (out.ips.empty() && !pod["status"]["podIP"].str().empty()) out.ips.emplace_back(pod["status"]["podIP"].str());
  out.node = object->header().node_name;
  out.terminating = object->header().deletion != WallTime{};
  if (!pod["spec"]["hostname"].str().empty() && pod["spec"]["subdomain"].str() == service["metadata"]["name"].str())
    out.hostname = pod["spec"]["hostname"].str();
  for (const json::Value& c : pod["status"]["conditions"].items())
    if (c["type"].str() == "Ready") out.ready = c["status"].str() == "True";
  for (const json::Value& p : service["spec"]["ports"].items())
    if (auto number = resolve(p, pod))
      out.ports.push_back({std::string(p["name"].str()), std::string(p["protocol"].str("TCP")),
                           std::string(p["appProtocol"].str()), *number});
  return out;
}

bool spec_has_endpoints(const json::Value& spec) {
  return !spec["selector"].empty() && spec["type"].str() != "ExternalName";
}
}  // namespace

bool has_endpoints(const json::Value& service) {
  return spec_has_endpoints(service["spec"]);
}

std::vector<ServicePod> pods_of_service(const Object& service, const json::Value& value, const View& view) {
  std::vector<ServicePod> out;
  for (const ObjectPtr& object :
       view.list(kPods.name(), service.header().ns, LabelSelector::from_map(value["spec"]["selector"]))) {
    const json::Value pod = object->value();
    std::string_view phase = pod["status"]["phase"].str();
    if (phase == "Succeeded" || phase == "Failed") continue;
    ServicePod made = make(object, pod, value);
    if (!made.ips.empty()) out.push_back(std::move(made));
  }
  return out;
}

std::vector<std::string> services_of_pod(const store::Event& event, const View& view) {
  std::vector<std::string> keys;
  for (const ObjectPtr& service : view.list(kServices.name(), event.key.ns, LabelSelector::everything())) {
    const std::string_view text = find_raw(service->bytes(), "spec");
    if (find_raw(text, "selector").empty()) continue;
    auto spec = json::parse(text);
    if (!spec.ok() || !spec_has_endpoints(*spec)) continue;
    LabelSelector selector = LabelSelector::from_map(std::as_const(*spec)["selector"]);
    if ((event.object && selector.matches(event.object->header().labels)) ||
        (event.previous && selector.matches(event.previous->header().labels)))
      keys.push_back(key_of(*service));
  }
  return keys;
}

json::Value target_ref(const Object& pod) {
  return json::Value::object(
      {{"kind", "Pod"}, {"namespace", pod.header().ns}, {"name", pod.header().name}, {"uid", pod.header().uid}});
}

}  // namespace lotse::control
