#include "core/control/service_load_balancer/service_load_balancer.h"

#include <algorithm>

#include "core/control/action.h"
#include "core/control/addresses.h"
#include "core/control/conditions.h"

namespace lotse::control {
namespace {

constexpr std::string_view kExclude = "node.kubernetes.io/exclude-from-external-load-balancers";

bool is_ours(const json::Value& service) {
  return service["spec"]["type"].str() == "LoadBalancer" && service["spec"]["loadBalancerClass"].str().empty();
}
bool has_ingress(const json::Value& service) {
  return service["status"]["loadBalancer"]["ingress"].size() > 0;
}
bool concerns_us(const ObjectPtr& service) {
  if (!service) return false;
  const json::Value v = service->value();
  return is_ours(v) || has_ingress(v);
}

struct ReadyNode {
  std::string name;
  std::vector<std::string> ips;
  friend bool operator==(const ReadyNode&, const ReadyNode&) = default;
};

// Those that have an outer address give that one.
std::optional<ReadyNode> ready_node(const ObjectPtr& object) {
  if (!object) return std::nullopt;
  for (const auto& [label, value] : object->header().labels)
    if (label == kExclude) return std::nullopt;
  const json::Value v = object->value();
  const json::Value* ready = find_condition(v["status"], "Ready");
  if (!ready || (*ready)["status"].str() != "True" || !v["metadata"]["deletionTimestamp"].str().empty()) return std::nullopt;
  ReadyNode node{std::string(v["metadata"]["name"].str()), {}};
  for (const char* type : {"ExternalIP", "InternalIP"}) {
    if (!node.ips.empty()) break;
    for (const json::Value& a : v["status"]["addresses"].items())
      if (a["type"].str() == type) node.ips.emplace_back(a["address"].str());
  }
  return node;
}

std::set<std::string> nodes_with_endpoints(const Object& service, const View& view) {
  std::set<std::string> out;
  const LabelSelector of_service = LabelSelector::from_map(json::Value::object({{kServiceNameLabel, service.header().name}}));
  for (const ObjectPtr& slice : view.list(kEndpointSlices.name(), service.header().ns, of_service)) {
    const json::Value v = slice->value();
    for (const json::Value& e : v["endpoints"].items())
      if (e["conditions"]["ready"].boolean(true)) out.emplace(e["nodeName"].str());
  }
  return out;
}

std::vector<std::string> addresses_for(const Object& object, const json::Value& service, const std::vector<ReadyNode>& nodes, const View& view) {
  const json::Value& spec = service["spec"];
  bool four = false, six = false;
  for (const json::Value& family : spec["ipFamilies"].items()) (family.str() == "IPv6" ? six : four) = true;
  if (!four && !six) four = true;
  const bool local = spec["externalTrafficPolicy"].str() == "Local";
  const std::set<std::string> with = local ? nodes_with_endpoints(object, view) : std::set<std::string>();
  std::vector<std::string> out;
  for (const ReadyNode& node : nodes)
    if (!local || with.contains(node.name))
      for (const std::string& ip : node.ips)
        if (is_v6(ip) ? six : four) out.push_back(ip);
  std::sort(out.begin(), out.end());
  return out;
}

std::set<std::string> ports_of(const json::Value& service) {
  std::set<std::string> out;
  for (const json::Value& p : service["spec"]["ports"].items())
    out.insert(std::to_string(p["port"].integer()) + "/" + std::string(p["protocol"].str("TCP")));
  return out;
}

std::vector<std::string> ingress_of(const json::Value& service) {
  std::vector<std::string> out;
  for (const json::Value& i : service["status"]["loadBalancer"]["ingress"].items()) out.emplace_back(i["ip"].str());
  return out;
}

Action give(const Object& service, const std::vector<std::string>& ips) {
  json::Value patch, list = json::Value::array();
  for (const std::string& ip : ips) list.push(json::Value::object({{"ip", ip}, {"ipMode", "VIP"}}));
  patch["status"]["loadBalancer"].set("ingress", ips.empty() ? json::Value() : std::move(list));
  Action a = merge_patch(kServices, service.header().ns, service.header().name, std::move(patch), "status");
  a.accept = {Reason::kNotFound};
  a.batch = 1;
  return a;
}

}  // namespace

std::vector<store::ResourceName> ServiceLoadBalancerController::resources() const {
  return {kServices.name(), kNodes.name(), kEndpointSlices.name()};
}

std::vector<std::string> ServiceLoadBalancerController::keys(const store::Event& e, const View& view) {
  const bool gone = e.type == store::Event::Type::kDeleted;
  if (e.key.resource == kServices.name()) return concerns_us(e.object) || concerns_us(e.previous) ? std::vector<std::string>{"all"} : std::vector<std::string>{};
  if (e.key.resource == kNodes.name()) {
    const auto was = ready_node(gone ? e.object : e.previous), is = gone ? std::nullopt : ready_node(e.object);
    return was == is ? std::vector<std::string>{} : std::vector<std::string>{"all"};
  }
  ObjectPtr service = view.get(kServices.name(), e.key.ns, e.object->header().label(kServiceNameLabel));
  if (!service) return {};
  const json::Value v = service->value();
  return is_ours(v) && v["spec"]["externalTrafficPolicy"].str() == "Local" ? std::vector<std::string>{"all"} : std::vector<std::string>{};
}

Outcome ServiceLoadBalancerController::reconcile(const std::string&, const View& view, WallTime) {
  Outcome out;
  std::vector<ReadyNode> nodes;
  for (const ObjectPtr& object : view.list(kNodes.name(), "", {}))
    if (auto node = ready_node(object)) nodes.push_back(*std::move(node));
  struct Candidate {
    std::string since;
    ObjectPtr object;
    json::Value value;
  };
  std::vector<Candidate> candidates;
  for (const ObjectPtr& object : view.list(kServices.name(), "", {})) {
    json::Value v = object->value();
    if (is_ours(v)) candidates.push_back({std::string(v["metadata"]["creationTimestamp"].str()), object, std::move(v)});
    else if (v["spec"]["type"].str() != "LoadBalancer" && has_ingress(v)) out.actions.push_back(give(*object, {}));
  }
  // The list comes in the order of names, which decides among those of one second.
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) { return a.since < b.since; });
  std::set<std::string> taken, waiting;
  std::vector<Action> events;
  for (const Candidate& c : candidates) {
    const std::set<std::string> ports = ports_of(c.value);
    const auto clash = std::find_if(ports.begin(), ports.end(), [&](const std::string& p) { return taken.contains(p); });
    if (clash == ports.end()) taken.insert(ports.begin(), ports.end());
    else waiting.insert(std::string(c.value["metadata"]["uid"].str()));
    if (nodes.empty()) continue;
    const std::vector<std::string> ips = clash == ports.end() ? addresses_for(*c.object, c.value, nodes, view) : std::vector<std::string>();
    if (clash != ports.end() && !told_.contains(std::string(c.value["metadata"]["uid"].str())))
      events.push_back(event(c.object, "Warning", "PortTaken", "port " + *clash + " of the nodes belongs to an older Service of type LoadBalancer"));
    if (ips != ingress_of(c.value)) out.actions.push_back(give(*c.object, ips));
  }
  if (!nodes.empty()) told_ = std::move(waiting);
  std::move(events.begin(), events.end(), std::back_inserter(out.actions));
  return out;
}

}  // namespace lotse::control
