#include "core/control/apiserver_endpoint/apiserver_endpoint.h"

#include "core/control/action.h"
#include "core/control/addresses.h"
#include "core/base/log.h"

namespace lotse::control {
namespace {
constexpr uint64_t kFirst = 1, kTenth = 10;
const store::ResourceName kLeasesName = "leases.coordination.k8s.io";

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

// Everything in `wanted` stands in `have` too.
bool contains(const json::Value& have, const json::Value& wanted) {
  if (!wanted.is_object()) return have == wanted;
  for (const auto& [key, value] : wanted.members())
    if (!contains(have[key], value)) return false;
  return true;
}
}  // namespace

ApiserverEndpointController::ApiserverEndpointController(const Settings& s)
    : service_cidrs_(s.service_cidrs), address_(s.advertise_address), port_(s.api_port) {
  if (is_loopback(address_))
    log::warn("control.loopback_only",
              "the API has only a loopback address: the Service kubernetes has no endpoints until a start with another one",
              {{"address", address_}});
}

std::vector<store::ResourceName> ApiserverEndpointController::resources() const {
  return {kServices.name(), kEndpoints.name(), kEndpointSlices.name(), kMasters, kLeasesName};
}

std::vector<std::string> ApiserverEndpointController::keys(const store::Event& e, const View&) {
  if (e.key.ns == "default" && e.key.name == "kubernetes") return {"kubernetes"};
  if (e.key.ns == "kube-system" && e.key.name == "kube-dns" && e.key.resource == kServices.name()) return {"kube-dns"};
  const bool master = e.key.resource == kMasters || (e.key.resource == kLeasesName && e.key.ns == "kube-system" && e.key.name.starts_with(kMasterLeasePrefix));
  if (master) return {"kubernetes"};
  return {};
}

// Of a single master it is our own address. With several, ours is always among them: it works, or we would not be asked.
std::vector<std::string> ApiserverEndpointController::live_masters(const View& view, WallTime now, std::optional<Duration>* again) {
  std::set<std::string> out{address_};
  for (const ObjectPtr& object : view.list(kMasters, "", LabelSelector::everything())) {
    const auto master = MasterRecord::of(*object);
    const ObjectPtr lease = view.get(kLeasesName, "kube-system", kMasterLeasePrefix + master.name);
    if (!lease || master.api_port != port_ || is_v6(master.api_address) != is_v6(address_)) continue;
    const std::string renewed(lease->value()["spec"]["renewTime"].str());
    Seen& seen = seen_[master.name];
    if (seen.renewed != renewed) seen = {renewed, now};
    const Duration left = seen.at + kMasterLease - now;
    if (left <= Duration(0)) continue;
    out.insert(master.api_address);
    if (master.api_address != address_) *again = std::min(again->value_or(left), left);
  }
  return {out.begin(), out.end()};
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

Outcome ApiserverEndpointController::reconcile(const std::string& key, const View& view, WallTime now) {
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
  Value addresses = Value::array(), slice_endpoints = Value::array();
  for (const auto& address : live_masters(view, now, &out.again)) {
    if (is_loopback(address)) continue;  // everybody takes it for his own
    addresses.push(Value::object({{"ip", address}}));
    Value endpoint = Value::object({{"addresses", Value::array({address})}});
    endpoint["conditions"].set("ready", true);
    slice_endpoints.push(std::move(endpoint));
  }
  if (addresses.empty()) {
    endpoints.set("subsets", Value());
  } else {
    Value subset = Value::object({{"addresses", std::move(addresses)}, {"ports", Value::array({real})}});
    endpoints.set("subsets", Value::array({std::move(subset)}));
  }
  ensure(kEndpoints, std::move(endpoints), view, &out);

  Value slice;
  slice["metadata"] = Value::object({{"name", "kubernetes"}, {"namespace", "default"}});
  slice["metadata"].set("labels", Value::object({{kServiceNameLabel, "kubernetes"}}));
  slice.set("addressType", is_v6(address_) ? "IPv6" : "IPv4").set("endpoints", std::move(slice_endpoints));
  slice.set("ports", Value::array({real}));
  ensure(kEndpointSlices, std::move(slice), view, &out);
  return out;
}

}  // namespace lotse::control
