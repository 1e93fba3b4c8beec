#include "core/control/root_ca_certificate_publisher/root_ca_certificate_publisher.h"

#include "core/control/action.h"

namespace lotse::control {
namespace {
constexpr std::string_view kName = "kube-root-ca.crt";
}

std::vector<store::ResourceName> RootCaCertificatePublisher::resources() const {
  return {kNamespaces.name(), kConfigMaps.name()};
}

std::vector<std::string> RootCaCertificatePublisher::keys(const store::Event& event, const View&) {
  if (event.key.resource == kNamespaces.name()) return {event.key.name};
  if (event.key.name == kName) return {event.key.ns};
  return {};
}

Outcome RootCaCertificatePublisher::reconcile(const std::string& key, const View& view, WallTime) {
  ObjectPtr ns = view.get(kNamespaces.name(), "", key);
  if (!ns || ns->header().deletion != WallTime{}) return {};
  Outcome out;
  ObjectPtr old = view.get(kConfigMaps.name(), key, kName);
  json::Value map = old ? old->value() : json::Value::object();
  json::Value data = json::Value::object({{"ca.crt", ca_pem_}});
  if (old && std::as_const(map)["data"] == data) return out;
  map.set("data", std::move(data));
  map["metadata"].set("name", kName);
  out.actions.push_back(old ? update(kConfigMaps, std::move(map)) : create(kConfigMaps, key, std::move(map)));
  out.actions.back().accept = {Reason::kAlreadyExists};
  return out;
}

}  // namespace lotse::control
