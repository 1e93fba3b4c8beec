#include "core/schema/defaults.h"

namespace lotse::schema {

using json::Value;

void default_service(Value* service) {
  Value* spec = part(service, "spec");
  if (!spec) return;
  const std::string type(get(*spec, "type").str()), affinity(get(*spec, "sessionAffinity").str());
  if (affinity == "ClientIP") {
    Value& client_ip = (*spec)["sessionAffinityConfig"]["clientIP"];
    if (!client_ip.is_object()) client_ip = Value::object();
    fill(&client_ip, "timeoutSeconds", 10800);
  } else if (affinity == "None") {
    spec->erase("sessionAffinityConfig");
  }
  if (Value* ports = spec->find("ports"); ports && ports->is_array() && !ports->empty()) {
    for (Value& port : ports->array_items()) {
      const Value target = get(port, "targetPort");
      const bool unset = target.is_null() || (target.is_number() && target.integer() == 0) ||
                         (target.is_string() && target.str().empty());
      if (unset && port.has("port")) port.set("targetPort", Value(get(port, "port")));
    }
  }
  const bool reachable =
      type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !get(*spec, "externalIPs").empty());
  if (reachable && get(*spec, "externalTrafficPolicy").str().empty()) spec->set("externalTrafficPolicy", "Cluster");
  if (type != "ExternalName" && get(*spec, "internalTrafficPolicy").str().empty())
    spec->set("internalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer") fill(spec, "allocateLoadBalancerNodePorts", true);
}

void default_deployment(Value* deployment) {
  Value* spec = part(deployment, "spec");
  Value* strategy = spec ? part(spec, "strategy") : nullptr;
  if (!strategy || get(*strategy, "type").str() != "RollingUpdate") return;
  Value& rolling = (*strategy)["rollingUpdate"];
  if (!rolling.is_object()) rolling = Value::object();
  fill(&rolling, "maxUnavailable", "25%");
  fill(&rolling, "maxSurge", "25%");
}

void default_subjects(Value* binding) {
  Value* subjects = binding->find("subjects");
  if (!subjects || !subjects->is_array() || subjects->empty()) return;
  for (Value& subject : subjects->array_items()) {
    const std::string_view kind = get(subject, "kind").str();
    if ((kind == "User" || kind == "Group") && get(subject, "apiGroup").str().empty()) {
      subject.set("apiGroup", "rbac.authorization.k8s.io");
    }
  }
}

void default_limit_range(Value* limit_range) {
  Value* spec = part(limit_range, "spec");
  Value* limits = spec ? spec->find("limits") : nullptr;
  if (!limits || !limits->is_array() || limits->empty()) return;
  for (Value& limit : limits->array_items()) {
    if (get(limit, "type").str() != "Container") continue;
    const Value max = get(limit, "max"), min = get(limit, "min");
    for (const auto& [name, value] : max.members()) fill(&limit["default"], name, value);
    const Value fallback = get(limit, "default");
    for (const auto& [name, value] : fallback.members()) fill(&limit["defaultRequest"], name, value);
    for (const auto& [name, value] : min.members()) fill(&limit["defaultRequest"], name, value);
  }
}

}  // namespace lotse::schema
