#include "core/api/service_plan.h"

#include <charconv>

namespace lotse::api {
namespace {

const json::Value& spec_of(const json::Value& service) { return service["spec"]; }

bool wants_ip(const json::Value& service) {
  const std::string_view type = spec_of(service)["type"].str("ClusterIP");
  return type == "ClusterIP" || type == "NodePort" || type == "LoadBalancer";
}

bool wants_ports(const json::Value& service) {
  const std::string_view type = spec_of(service)["type"].str();
  if (type == "NodePort") return true;
  return type == "LoadBalancer" && spec_of(service)["allocateLoadBalancerNodePorts"].boolean(true);
}

bool wants_health_port(const json::Value& service) {
  return spec_of(service)["type"].str() == "LoadBalancer" && spec_of(service)["externalTrafficPolicy"].str() == "Local";
}

bool headless(const json::Value& service) { return spec_of(service)["clusterIP"].str() == "None"; }

std::string quoted(std::string_view s) { return "\"" + std::string(s) + "\""; }

bool wants_outside(const json::Value& service) {
  const std::string_view type = spec_of(service)["type"].str();
  return type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !spec_of(service)["externalIPs"].empty());
}

// What only the earlier type had goes with it, unless the update changes it on purpose (then validation has its say).
void drop_of_earlier_type(json::Value& service, const json::Value& old) {
  const auto drop = [&](bool gone, std::string_view field) {
    if (gone && spec_of(service)[field] == spec_of(old)[field]) service["spec"].erase(field);
  };
  drop(wants_outside(old) && !wants_outside(service), "externalTrafficPolicy");
  drop(wants_health_port(old) && !wants_health_port(service), "healthCheckNodePort");
  const bool balanced = spec_of(old)["type"].str() == "LoadBalancer" && spec_of(service)["type"].str() != "LoadBalancer";
  drop(balanced, "allocateLoadBalancerNodePorts");
  drop(balanced, "loadBalancerClass");
  if (!wants_ports(old) || wants_ports(service) || !spec_of(service)["ports"].is_array()) return;
  for (auto& p : service["spec"]["ports"].array_items()) {
    for (const auto& q : spec_of(old)["ports"].items()) {
      if (q["nodePort"].integer() != 0 && q["nodePort"] == std::as_const(p)["nodePort"]) p.erase("nodePort");
    }
  }
}

// An update that leaves out what the server has given keeps it.
void carry_over(json::Value& service, const json::Value& old) {
  json::Value& spec = service["spec"];
  const json::Value& was = spec_of(old);
  if (wants_ip(old) && wants_ip(service)) {
    if (spec_of(service)["clusterIP"].str().empty()) spec.set("clusterIP", was["clusterIP"]);
    if (spec_of(service)["clusterIPs"].empty() && spec_of(service)["clusterIP"] == was["clusterIP"]) spec.set("clusterIPs", was["clusterIPs"]);
    for (const std::string_view field : {"ipFamilies", "ipFamilyPolicy"}) {
      if (!std::as_const(spec).has(field) && was.has(field)) spec.set(field, was[field]);
    }
  }
  if (wants_ports(old) && wants_ports(service) && std::as_const(spec)["ports"].is_array()) {
    for (auto& p : spec["ports"].array_items()) {
      if (std::as_const(p)["nodePort"].integer() != 0) continue;
      for (const auto& q : was["ports"].items()) {
        const bool same = q["port"] == std::as_const(p)["port"] && q["protocol"].str("TCP") == std::as_const(p)["protocol"].str("TCP");
        if (same && q["nodePort"].integer() != 0) p.set("nodePort", q["nodePort"]);
      }
    }
  }
  if (wants_health_port(old) && wants_health_port(service) && spec_of(service)["healthCheckNodePort"].integer() == 0) {
    spec.set("healthCheckNodePort", was["healthCheckNodePort"]);
  }
}

size_t range_of(const std::vector<AddressRange>& ranges, std::string_view family) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].family() == family) return i;
  }
  return ranges.size();
}

// Which families, in order; complaints where the cluster cannot give them.
std::vector<std::string> families(json::Value& service, const json::Value* old, const std::vector<AddressRange>& ranges, std::vector<Cause>* causes) {
  const json::Value& spec = spec_of(service);
  std::vector<std::string> list;
  for (const auto& f : spec["ipFamilies"].items()) list.emplace_back(f.str());
  for (const auto& ip : spec["clusterIPs"].items()) {
    const std::string_view family = family_of(ip.str());
    if (!family.empty() && list.size() < spec["clusterIPs"].size() && std::find(list.begin(), list.end(), family) == list.end()) list.emplace_back(family);
  }
  // The first family is for good, as the first address is.
  if (old && !list.empty()) {
    const std::string_view before = (*old)["spec"]["ipFamilies"].at(0).str();
    if (!before.empty() && list[0] != before) causes->push_back({"spec.ipFamilies[0]", "FieldValueInvalid", "Invalid value: " + quoted(list[0]) + ": may not change once set"});
  }
  const std::string policy(spec["ipFamilyPolicy"].str("SingleStack"));
  const bool two = policy == "PreferDualStack" || policy == "RequireDualStack";
  if (policy == "RequireDualStack" && ranges.size() < 2) {
    causes->push_back({"spec.ipFamilyPolicy", "FieldValueInvalid",
                       "Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services"});
  }
  for (size_t i = 0; i < list.size(); ++i) {
    if (range_of(ranges, list[i]) < ranges.size()) continue;
    causes->push_back({"spec.ipFamilies[" + std::to_string(i) + "]", "FieldValueInvalid", "Invalid value: " + quoted(list[i]) + ": not configured on this cluster"});
  }
  for (const auto& r : ranges) {
    const bool more = list.empty() || (two && list.size() < 2);
    if (more && std::find(list.begin(), list.end(), r.family()) == list.end()) list.emplace_back(r.family());
  }
  if (!two && list.size() > 1) list.resize(1);
  json::Value out = json::Value::array();
  for (const auto& f : list) out.push(f);
  service["spec"].set("ipFamilies", std::move(out)).set("ipFamilyPolicy", policy);
  return list;
}

bool held(const json::Value* old, const store::Key& key) {
  if (!old) return false;
  const auto keys = held_by(*old);
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void plan_ips(json::Value& service, const json::Value* old, const std::vector<AddressRange>& ranges, AddressPlan* plan) {
  json::Value& spec = service["spec"];
  const std::string first(std::as_const(spec)["clusterIP"].str());
  if (std::as_const(spec)["clusterIPs"].empty() && !first.empty()) spec.set("clusterIPs", json::Value::array({first}));
  if (first.empty() && !std::as_const(spec)["clusterIPs"].empty()) spec.set("clusterIP", std::as_const(spec)["clusterIPs"].at(0));
  const auto wanted = families(service, old, ranges, &plan->causes);
  if (headless(service) || !plan->causes.empty()) return;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string field = "spec.clusterIPs[" + std::to_string(i) + "]";
    const std::string given(std::as_const(spec)["clusterIPs"].at(i).str());
    const size_t range = range_of(ranges, wanted[i]);
    if (given.empty()) {
      plan->wishes.push_back({AddressWish::What::kIp, range, "", field, {}});
      continue;
    }
    const std::string canonical = canonical_address(given);
    if (canonical.empty() || held(old, {std::string(kServiceIps), "", canonical})) continue;  // no address: validation says so
    if (!ranges[range].contains(canonical)) {
      plan->causes.push_back({"spec.clusterIPs", "FieldValueInvalid",
                              "Invalid value: [" + quoted(given) + "]: failed to allocate IP " + given + ": the provided IP (" + given +
                                  ") is not in the valid range. The range of valid IPs is " + ranges[range].text()});
      continue;
    }
    plan->wishes.push_back({AddressWish::What::kIp, range, canonical, field, {}});
  }
  // Fewer families than before: the second address goes.
  json::Value& ips = spec["clusterIPs"];
  if (ips.is_array() && ips.size() > wanted.size()) ips.array_items().resize(wanted.size());
}

void plan_port(int64_t given, std::pair<int, int> ports, const json::Value* old, AddressWish wish, AddressPlan* plan) {
  if (given != 0) {
    wish.value = std::to_string(given);
    if (held(old, {std::string(kNodePorts), "", wish.value})) return;
    if (given < ports.first || given > ports.second) {
      plan->causes.push_back({wish.field, "FieldValueInvalid",
                              "Invalid value: " + wish.value + ": provided port is not in the valid range. The range of valid ports is " +
                                  std::to_string(ports.first) + "-" + std::to_string(ports.second)});
      return;
    }
  }
  plan->wishes.push_back(std::move(wish));
}

// Entries with one port number and different protocols share a node port, given or not.
void plan_ports(const json::Value& service, const json::Value* old, std::pair<int, int> ports, AddressPlan* plan) {
  const auto& all = spec_of(service)["ports"].items();
  std::vector<bool> seen(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (seen[i]) continue;
    AddressWish wish{AddressWish::What::kPort, 0, "", "spec.ports[" + std::to_string(i) + "].nodePort", {i}};
    const int64_t given = all[i]["nodePort"].integer();
    for (size_t j = i + 1; j < all.size(); ++j) {
      if (all[i]["protocol"].str("TCP") == all[j]["protocol"].str("TCP")) continue;
      const bool same = given != 0 ? all[j]["nodePort"].integer() == given
                                   : all[j]["nodePort"].integer() == 0 && all[j]["port"] == all[i]["port"];
      if (!same || seen[j]) continue;
      seen[j] = true;
      wish.ports.push_back(j);
    }
    plan_port(given, ports, old, std::move(wish), plan);
  }
}

}  // namespace

std::vector<store::Key> held_by(const json::Value& service) {
  std::vector<store::Key> keys;
  const json::Value& spec = spec_of(service);
  const auto add = [&](std::string_view resource, std::string name) {
    store::Key key{std::string(resource), "", std::move(name)};
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  };
  if (wants_ip(service) && !headless(service)) {
    for (const auto& ip : spec["clusterIPs"].items()) {
      if (std::string text = canonical_address(ip.str()); !text.empty()) add(kServiceIps, std::move(text));
    }
  }
  for (const auto& p : spec["ports"].items()) {
    if (p["nodePort"].integer() > 0) add(kNodePorts, std::to_string(p["nodePort"].integer()));
  }
  if (spec["healthCheckNodePort"].integer() > 0) add(kNodePorts, std::to_string(spec["healthCheckNodePort"].integer()));
  return keys;
}

AddressPlan plan_addresses(json::Value* service, const json::Value* old, const std::vector<AddressRange>& ranges, std::pair<int, int> ports) {
  AddressPlan plan;
  json::Value& s = *service;
  if (old) {
    carry_over(s, *old);
    drop_of_earlier_type(s, *old);
  }
  if (wants_ip(s)) {
    plan_ips(s, old, ranges, &plan);
  } else {
    for (const std::string_view field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) s["spec"].erase(field);
  }
  if (wants_ports(s)) plan_ports(s, old, ports, &plan);
  if (wants_health_port(s)) {
    plan_port(spec_of(s)["healthCheckNodePort"].integer(), ports, old, {AddressWish::What::kPort, 0, "", "spec.healthCheckNodePort", {}}, &plan);
  }
  return plan;
}

}  // namespace lotse::api
