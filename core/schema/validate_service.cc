#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_service_ports(const Value& spec, const FieldPath& path, Errors* errors) {
  const Value& ports = spec["ports"];
  const FieldPath list = path.child("ports");
  const std::string_view type = spec["type"].str();
  const bool headless = spec["clusterIP"].str() == "None";
  if (ports.empty() && !headless && type != "ExternalName") errors->required(list);
  std::set<std::string> names, uses, node_ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Value& port = ports.at(i);
    const FieldPath at = list.index(i);
    const std::string_view name = port["name"].str(), protocol = port["protocol"].str();
    if (name.empty()) {
      if (ports.size() > 1) errors->required(at.child("name"));
    } else {
      errors->check(at.child("name"), name, dns_label(name));
      if (!names.insert(std::string(name)).second) errors->duplicate(at.child("name"), name);
    }
    check_port(port["port"], at.child("port"), errors);
    if (!port["targetPort"].is_null() && !headless) check_port(port["targetPort"], at.child("targetPort"), errors);
    if (const std::string_view app = port["appProtocol"].str(); !app.empty())
      errors->check(at.child("appProtocol"), app, qualified_name(app));
    const std::string number = std::to_string(port["port"].integer());
    if (!uses.insert(std::string(protocol) + number).second) {
      errors->duplicate(at, Value::object({{"port", port["port"]}, {"protocol", protocol}}));
    }
    const int64_t node_port = port["nodePort"].integer();
    if (node_port == 0) continue;
    if (type == "ClusterIP") errors->forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
    if (type == "ExternalName")
      errors->forbidden(at.child("nodePort"), "may not be used when `type` is 'ExternalName'");
    check_port(port["nodePort"], at.child("nodePort"), errors);
    if (!node_ports.insert(std::string(protocol) + std::to_string(node_port)).second)
      errors->duplicate(at.child("nodePort"), node_port);
  }
}

void check_cluster_ips(const Value& spec, const FieldPath& path, Errors* errors) {
  const std::string_view ip = spec["clusterIP"].str(), type = spec["type"].str();
  const Value& ips = spec["clusterIPs"];
  const FieldPath list = path.child("clusterIPs"), families = path.child("ipFamilies");
  if (type == "ExternalName") {
    if (!ip.empty()) errors->forbidden(path.child("clusterIP"), "may not be set when `type` is 'ExternalName'");
    if (!ips.empty()) errors->forbidden(list, "may not be set when `type` is 'ExternalName'");
    if (!spec["ipFamilies"].empty()) errors->forbidden(families, "may not be set when `type` is 'ExternalName'");
    if (!spec["ipFamilyPolicy"].is_null())
      errors->forbidden(path.child("ipFamilyPolicy"), "may not be set when `type` is 'ExternalName'");
    return;
  }
  if (!ips.empty() && ip.empty()) errors->forbidden(list, "must be empty when `clusterIP` is not specified");
  if (!ips.empty() && !ip.empty() && ips.at(0).str() != ip)
    errors->invalid(list, ips, "first value must match `clusterIP`");
  if (!ip.empty() && ip != "None" && ips.empty()) errors->check(path.child("clusterIP"), ip, ip_address(ip));
  if (ips.size() > 2) errors->invalid(list, ips, "may only hold up to 2 values");
  for (size_t i = 0; i < ips.size(); ++i) {
    const std::string_view one = ips.at(i).str();
    if (one == "None" && ips.size() > 1)
      errors->invalid(list, ips, "'None' must be the first and only value");
    else if (one != "None")
      errors->check(list.index(i), one, ip_address(one));
  }
  if (ips.size() == 2 && is_ipv6(ips.at(0).str()) == is_ipv6(ips.at(1).str())) {
    errors->invalid(list, ips, "may specify no more than one IP for each IP family");
  }
  if (ip == "None" && type == "NodePort")
    errors->invalid(path.child("clusterIP"), ip, "may not be set to 'None' for NodePort services");
  if (ip == "None" && type == "LoadBalancer")
    errors->invalid(path.child("clusterIP"), ip, "may not be set to 'None' for LoadBalancer services");
  for (size_t i = 1; i < spec["ipFamilies"].size(); ++i) {
    if (spec["ipFamilies"].at(i) == spec["ipFamilies"].at(0))
      errors->duplicate(families.index(i), spec["ipFamilies"].at(i));
  }
  if (spec["ipFamilies"].size() > 2) errors->invalid(families, spec["ipFamilies"], "may only hold up to 2 values");
}

void check_affinity(const Value& spec, const FieldPath& path, Errors* errors) {
  const FieldPath config = path.child("sessionAffinityConfig"), client = config.child("clientIP");
  const Value& given = spec["sessionAffinityConfig"];
  if (spec["sessionAffinity"].str() == "None" && !given.is_null()) {
    errors->forbidden(config, "must not be set when session affinity is None");
  }
  if (spec["sessionAffinity"].str() != "ClientIP") return;
  const int64_t seconds = given["clientIP"]["timeoutSeconds"].integer();
  if (seconds <= 0 || seconds > 86400)
    errors->invalid(client.child("timeoutSeconds"), seconds, "must be greater than 0 and less than or equal to 86400");
}

void check_external(const Value& spec, const FieldPath& path, Errors* errors) {
  const std::string_view type = spec["type"].str();
  const bool balanced = type == "LoadBalancer";
  const bool reachable = balanced || type == "NodePort" || (type == "ClusterIP" && !spec["externalIPs"].empty());
  if (!spec["externalTrafficPolicy"].is_null() && !reachable) {
    errors->invalid(path.child("externalTrafficPolicy"), spec["externalTrafficPolicy"],
                    "may only be set for externally-accessible services");
  }
  const int64_t check_port_number = spec["healthCheckNodePort"].integer();
  const bool local = spec["externalTrafficPolicy"].str() == "Local";
  if (check_port_number != 0 && !(balanced && local)) {
    errors->invalid(path.child("healthCheckNodePort"), check_port_number,
                    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
  }
  const FieldPath ips = path.child("externalIPs"), ranges = path.child("loadBalancerSourceRanges");
  for (size_t i = 0; i < spec["externalIPs"].size(); ++i) {
    const std::string_view ip = spec["externalIPs"].at(i).str();
    errors->check(ips.index(i), ip, ip_address(ip));
    if (ip.starts_with("127.") || ip == "::1" || ip == "0.0.0.0" || ip == "::" || ip.starts_with("169.254.") ||
        ip.starts_with("fe80:")) {
      errors->invalid(ips.index(i), ip, "may not be unspecified, loopback or link-local");
    }
  }
  if (!balanced && !spec["loadBalancerSourceRanges"].empty())
    errors->forbidden(ranges, "may only be used when `type` is 'LoadBalancer'");
  for (size_t i = 0; balanced && i < spec["loadBalancerSourceRanges"].size(); ++i) {
    const std::string_view range = spec["loadBalancerSourceRanges"].at(i).str();
    errors->check(ranges.index(i), range, ip_prefix(range));
  }
  if (balanced) return;
  for (std::string_view key : {"allocateLoadBalancerNodePorts", "loadBalancerClass"}) {
    if (!spec[key].is_null()) errors->forbidden(path.child(key), "may only be used when `type` is 'LoadBalancer'");
  }
}

void check_update(const Value& now, const Value& before, const FieldPath& path, Errors* errors) {
  const std::string_view type = now["type"].str(), was = before["type"].str();
  if (type == "ExternalName" || was == "ExternalName") return;
  const std::string_view old_ip = before["clusterIP"].str();
  if (!old_ip.empty() && now["clusterIP"].str() != old_ip) {
    const FieldPath list = path.child("clusterIPs");
    errors->invalid(list.index(0), Value::array({now["clusterIP"].str()}), "may not change once set");
  }
  if (type == "LoadBalancer" && was == "LoadBalancer" && !(now["loadBalancerClass"] == before["loadBalancerClass"])) {
    errors->invalid(path.child("loadBalancerClass"), now["loadBalancerClass"], "may not change once set");
  }
}

}  // namespace

void validate_service(const Rules& r) {
  if (r.operation == Operation::kUpdateStatus) return;
  const Value& spec = r.object["spec"];
  const FieldPath path("spec");
  check_service_ports(spec, path, &r.errors);
  check_cluster_ips(spec, path, &r.errors);
  check_affinity(spec, path, &r.errors);
  check_external(spec, path, &r.errors);
  validate_labels(spec["selector"], path.child("selector"), &r.errors);
  if (spec["type"].str() == "ExternalName") {
    std::string_view name = spec["externalName"].str();
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty())
      r.errors.required(path.child("externalName"));
    else
      r.errors.check(path.child("externalName"), name, dns_subdomain(name));
    if (!spec["internalTrafficPolicy"].is_null())
      r.errors.forbidden(path.child("internalTrafficPolicy"), "may not be set when `type` is 'ExternalName'");
  }
  if (r.old) check_update(spec, (*r.old)["spec"], path, &r.errors);
}

}  // namespace lotse::schema
