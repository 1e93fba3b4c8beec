#include "core/control/apiserver_endpoint/apiserver_endpoint.h"

#include "core/control/action.h"
#include "core/control/addresses.h"

namespace lotse::control {
namespace {
constexpr uint64_t kFirst = 1, kTenth = 10;

// Everything in `wanted` stands in `have` too.
bool contains(const json::Value& have, const json::Value& wanted) {
  if (!wanted.is_object()) return have == wanted;
  for (const auto& [key, value] : wanted.members())
    if (!contains(have[key], value)) return false;
  return true;
}
}  // namespace

ApiserverEndpointController::ApiserverEndpointController(const Settings& s)
    : service_cidrs_(s.service_cidrs), address_(s.advertise_address), port_(s.api_port) {}

std::vector<store::ResourceName> ApiserverEndpointController::resources() const {
  return {kServices.name(), kEndpoints.name(), kEndpointSlices.name()};
}

std::vector<std::string> ApiserverEndpointController::keys(const store::Event& e, const View&) {
  if (e.key.ns == "default" && e.key.name == "kubernetes") return {"kubernetes"};
  if (e.key.ns == "kube-system" && e.key.name == "kube-dns" && e.key.resource == kServices.name()) return {"kube-dns"};
  return {};
}

json::Value ApiserverEndpointController::service(std::string_view name, uint64_t nth, json::Value labels,
                                                 json::Value ports) const {
  json::Value v, ips = json::Value::array();
  v["metadata"].set("name", name).set("labels", std::move(labels));
  for (const std::string& cidr : service_cidrs_)
    if (auto range = Range::parse(cidr)) ips.push(range->address(nth));
  v["spec"].set("type", "ClusterIP").set("ports", std::move(ports));
  v["spec"].set("clusterIP", std::as_const(ips).at(0)).set("clusterIPs", ips);
  v["spec"].set("ipFamilyPolicy", ips.size() > 1 ? "PreferDualStack" : "SingleStack");
  return v;
}

// Makes it, or mends what differs from what it must be; what others have added stays.
void ApiserverEndpointController::ensure(const Kind& kind, json::Value wanted, const View& view, Outcome* out) const {
  const json::Value& meta = std::as_const(wanted)["metadata"];
  ObjectPtr old = view.get(kind.name(), meta["namespace"].str(), meta["name"].str());
  if (!old) {
    std::string ns(meta["namespace"].str());
    out->actions.push_back(create(kind, ns, std::move(wanted)));
    out->actions.back().accept = {Reason::kAlreadyExists};
    return;
  }
  const json::Value have = old->value();
  if (contains(have, wanted)) return;
  if (kind.resource == kServices.resource)
    return;  // addresses cannot be changed; an operator may have changed the rest
  out->actions.push_back(update(kind, json::merge_patch(have, wanted)));
}

Outcome ApiserverEndpointController::reconcile(const std::string& key, const View& view, WallTime) {
  using json::Value;
  Outcome out;
  if (key == "kube-dns") {
    auto port = [](const char* name, const char* protocol) {
      return Value::object({{"name", name}, {"port", 53}, {"targetPort", 53}, {"protocol", protocol}});
    };
    Value labels = Value::object(
        {{"k8s-app", "kube-dns"}, {"kubernetes.io/cluster-service", "true"}, {"kubernetes.io/name", "CoreDNS"}});
    Value v =
        service("kube-dns", kTenth, std::move(labels), Value::array({port("dns", "UDP"), port("dns-tcp", "TCP")}));
    v["metadata"].set("namespace", "kube-system");
    ensure(kServices, std::move(v), view, &out);
    return out;
  }
  Value https = Value::object({{"name", "https"}, {"port", 443}, {"targetPort", port_}, {"protocol", "TCP"}});
  Value v = service("kubernetes", kFirst, Value::object({{"component", "apiserver"}, {"provider", "kubernetes"}}),
                    Value::array({https}));
  v["metadata"].set("namespace", "default");
  ensure(kServices, std::move(v), view, &out);

  const Value real = Value::object({{"name", "https"}, {"port", port_}, {"protocol", "TCP"}});
  Value endpoints;
  endpoints["metadata"] = Value::object({{"name", "kubernetes"}, {"namespace", "default"}});
  endpoints["metadata"].set("labels", Value::object({{"endpointslice.kubernetes.io/skip-mirror", "true"}}));
  Value subset = Value::object(
      {{"addresses", Value::array({Value::object({{"ip", address_}})})}, {"ports", Value::array({real})}});
  endpoints.set("subsets", Value::array({std::move(subset)}));
  ensure(kEndpoints, std::move(endpoints), view, &out);

  Value slice;
  slice["metadata"] = Value::object({{"name", "kubernetes"}, {"namespace", "default"}});
  slice["metadata"].set("labels", Value::object({{"kubernetes.io/service-name", "kubernetes"}}));
  Value endpoint = Value::object({{"addresses", Value::array({address_})}});
  endpoint["conditions"].set("ready", true);
  slice.set("addressType", is_v6(address_) ? "IPv6" : "IPv4").set("endpoints", Value::array({std::move(endpoint)}));
  slice.set("ports", Value::array({real}));
  ensure(kEndpointSlices, std::move(slice), view, &out);
  return out;
}

}  // namespace lotse::control
