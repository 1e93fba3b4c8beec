#include "core/network/services.h"

namespace lotse::network {
namespace {

constexpr std::string_view kServiceLabel = "kubernetes.io/service-name";

std::vector<std::string> strings(const json::Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.emplace_back(item.str());
  return out;
}

Service parse_service(const std::string& ns, const std::string& name, const json::Value& v) {
  const auto& spec = v["spec"];
  Service s;
  s.ns = ns;
  s.name = name;
  s.type = spec["type"].str("ClusterIP");
  s.external_name = s.type == "ExternalName" ? spec["externalName"].str() : std::string_view();
  if (s.external_name.ends_with('.')) s.external_name.pop_back();
  for (auto& ip : strings(spec["clusterIPs"])) {
    if (ip == "None") s.headless = true;
    else if (!ip.empty()) s.cluster_ips.push_back(ip);
  }
  if (s.cluster_ips.empty() && !s.headless && spec["clusterIP"].str() != "") {
    s.headless = spec["clusterIP"].str() == "None";
    if (!s.headless) s.cluster_ips.emplace_back(spec["clusterIP"].str());
  }
  for (const auto& p : spec["ports"].items())
    s.ports.push_back({std::string(p["name"].str()), std::string(p["protocol"].str("TCP")), static_cast<int>(p["port"].integer()), static_cast<int>(p["nodePort"].integer())});
  s.external_ips = strings(spec["externalIPs"]);
  s.source_ranges = strings(spec["loadBalancerSourceRanges"]);
  for (const auto& ingress : v["status"]["loadBalancer"]["ingress"].items())
    if (ingress["ipMode"].str("VIP") == "VIP" && !ingress["ip"].str().empty()) s.load_balancer_ips.emplace_back(ingress["ip"].str());
  if (spec["sessionAffinity"].str() == "ClientIP") s.affinity_s = static_cast<int>(spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].integer(10800));
  s.internal_local = spec["internalTrafficPolicy"].str() == "Local";
  s.external_local = spec["externalTrafficPolicy"].str() == "Local";
  s.health_check_port = static_cast<int>(spec["healthCheckNodePort"].integer());
  return s;
}

Slice parse_slice(const json::Value& v) {
  Slice s;
  for (const auto& p : v["ports"].items())
    s.ports.push_back({std::string(p["name"].str()), std::string(p["protocol"].str("TCP")), static_cast<int>(p["port"].integer())});
  for (const auto& e : v["endpoints"].items()) {
    Endpoint endpoint;
    endpoint.ip = e["addresses"].at(0).str();
    endpoint.hostname = e["hostname"].str();
    endpoint.node = e["nodeName"].str();
    endpoint.zone = e["zone"].str();
    const auto& c = e["conditions"];
    endpoint.ready = c["ready"].boolean(true);
    endpoint.terminating = c["terminating"].boolean(false);
    endpoint.serving = c["serving"].boolean(endpoint.ready);
    s.endpoints.push_back(std::move(endpoint));
  }
  return s;
}

MsgValue texts(const std::vector<std::string>& list) { return MsgValue::strings(list); }

}  // namespace

void Services::clear() {
  for (const auto& [name, service] : services_) dirty_.insert(name);
  services_.clear();
  slice_owner_.clear();
  orphans_.clear();
  by_ip_.clear();
  checked_.clear();
  namespaces_.clear();
}

void Services::mark(const Name& name) { dirty_.insert(name); }

void Services::index_ips(const Service& s, bool add) {
  const Name name{s.ns, s.name};
  auto one = [&](const std::string& ip) {
    if (add) {
      by_ip_[ip].insert(name);
      return;
    }
    auto it = by_ip_.find(ip);
    if (it == by_ip_.end()) return;
    it->second.erase(name);
    if (it->second.empty()) by_ip_.erase(it);
  };
  for (const auto& ip : s.cluster_ips) one(ip);
  if (!s.headless) return;
  for (const auto& [slice, parsed] : s.slices)
    for (const auto& e : parsed.endpoints) one(e.ip);
}

bool Services::set_service(const std::string& ns, const std::string& name, const ObjectPtr& object) {
  const Name key{ns, name};
  auto it = services_.find(key);
  if (it != services_.end()) index_ips(it->second, false);
  mark(key);
  if (!object) {
    if (it == services_.end()) return false;
    checked_.erase(key);
    if (!it->second.slices.empty()) orphans_[key] = std::move(it->second.slices);
    services_.erase(it);
    if (--namespaces_[ns] == 0) namespaces_.erase(ns);
    return true;
  }
  Service parsed = parse_service(ns, name, object->value());
  if (parsed.health_check_port) checked_.insert(key);
  else checked_.erase(key);
  if (it != services_.end()) {
    parsed.slices = std::move(it->second.slices);
    it->second = std::move(parsed);
  } else {
    if (auto waiting = orphans_.find(key); waiting != orphans_.end()) {
      parsed.slices = std::move(waiting->second);
      orphans_.erase(waiting);
    }
    it = services_.emplace(key, std::move(parsed)).first;
    ++namespaces_[ns];
  }
  index_ips(it->second, true);
  return true;
}

bool Services::set_slice(const std::string& ns, const std::string& slice, const ObjectPtr& object) {
  const Name at{ns, slice};
  std::string owner = object ? std::string(object->header().label(kServiceLabel)) : std::string();
  auto before = slice_owner_.find(at);
  if (before != slice_owner_.end() && before->second != owner) {
    const Name key{ns, before->second};
    if (auto it = services_.find(key); it != services_.end()) {
      index_ips(it->second, false);
      it->second.slices.erase(slice);
      index_ips(it->second, true);
    }
    if (auto it = orphans_.find(key); it != orphans_.end()) it->second.erase(slice);
    mark(key);
    slice_owner_.erase(before);
  }
  if (owner.empty()) return true;
  const Name key{ns, owner};
  slice_owner_[at] = owner;
  Slice parsed = parse_slice(object->value());
  auto it = services_.find(key);
  if (it == services_.end()) {
    orphans_[key][slice] = std::move(parsed);
    return false;
  }
  index_ips(it->second, false);
  it->second.slices[slice] = std::move(parsed);
  index_ips(it->second, true);
  mark(key);
  return true;
}

const Service* Services::find(std::string_view ns, std::string_view name) const {
  auto it = services_.find(Name(ns, name));
  return it == services_.end() ? nullptr : &it->second;
}

bool Services::has_namespace(std::string_view ns) const { return namespaces_.contains(std::string(ns)); }

const Service* Services::by_ip(const std::string& ip, const Endpoint** endpoint) const {
  *endpoint = nullptr;
  auto it = by_ip_.find(ip);
  if (it == by_ip_.end()) return nullptr;
  for (const auto& name : it->second) {
    const Service& s = services_.at(name);
    if (!s.headless) return &s;
    for (const auto& [slice, parsed] : s.slices)
      for (const auto& e : parsed.endpoints)
        if (e.ip == ip) {
          *endpoint = &e;
          return &s;
        }
  }
  return nullptr;
}

std::map<int, HealthPort> Services::health_ports() const {
  std::map<int, HealthPort> out;
  for (const Name& name : checked_) {
    const Service& s = services_.at(name);
    std::set<std::string> ready;
    for (const auto& [slice, parsed] : s.slices)
      for (const Endpoint& e : parsed.endpoints)
        if (e.ready && e.node == node_name_) ready.insert(e.ip);
    out[s.health_check_port] = {s.ns, s.name, static_cast<int>(ready.size())};
  }
  return out;
}

// One entry for each port of a Service that has addresses.
std::vector<MsgValue> Services::entries(const Service& s) const {
  std::vector<MsgValue> out;
  if (s.cluster_ips.empty()) return out;
  for (const auto& ip : s.cluster_ips)
    if (std::find(own_.begin(), own_.end(), ip) != own_.end()) return out;
  for (const auto& p : s.ports) {
    MsgValue endpoints = MsgValue::array();
    for (const auto& [name, slice] : s.slices)
      for (const auto& port : slice.ports) {
        if (port.name != p.name || port.protocol != p.protocol) continue;
        for (const auto& e : slice.endpoints) {
          MsgValue v = MsgValue::map({{"ip", e.ip}, {"port", port.port}, {"local", e.node == node_name_}, {"ready", e.ready}, {"serving", e.serving}, {"terminating", e.terminating}});
          if (!e.zone.empty()) v.append("zones", MsgValue::strings({e.zone}));
          endpoints.push(std::move(v));
        }
      }
    MsgValue v = MsgValue::map({{"id", s.ns + "/" + s.name + ":" + p.name}, {"protocol", p.protocol}, {"cluster_ips", texts(s.cluster_ips)}, {"port", p.port},
                                {"affinity_s", s.affinity_s}, {"internal_local", s.internal_local}, {"external_local", s.external_local}, {"endpoints", std::move(endpoints)}});
    if (p.node_port) v.append("node_port", p.node_port);
    if (!s.external_ips.empty()) v.append("external_ips", texts(s.external_ips));
    if (!s.load_balancer_ips.empty()) v.append("load_balancer_ips", texts(s.load_balancer_ips));
    if (!s.source_ranges.empty()) v.append("source_ranges", texts(s.source_ranges));
    if (s.health_check_port) v.append("health_check_port", s.health_check_port);
    out.push_back(std::move(v));
  }
  return out;
}

MsgValue Services::table(const std::vector<std::string>& node_addresses, const std::vector<std::string>& pod_cidrs, const std::vector<std::string>& cluster_cidrs) {
  MsgValue all = MsgValue::array();
  dirty_.clear();
  given_.clear();
  for (const auto& [name, service] : services_)
    for (auto& entry : entries(service)) {
      given_[name].insert(std::string(entry["id"].as_text()));
      all.push(std::move(entry));
    }
  return MsgValue::map({{"node_name", node_name_}, {"node_addresses", texts(node_addresses)}, {"pod_cidrs", texts(pod_cidrs)}, {"cluster_cidrs", texts(cluster_cidrs)}, {"services", std::move(all)}});
}

MsgValue Services::changes() {
  MsgValue set = MsgValue::array(), removed = MsgValue::array();
  for (const auto& name : dirty_) {
    std::set<std::string> before;
    if (auto it = given_.find(name); it != given_.end()) before = std::move(it->second);
    std::set<std::string> now;
    if (auto it = services_.find(name); it != services_.end())
      for (auto& entry : entries(it->second)) {
        now.insert(std::string(entry["id"].as_text()));
        set.push(std::move(entry));
      }
    for (const auto& id : before)
      if (!now.contains(id)) removed.push(id);
    if (now.empty()) given_.erase(name);
    else given_[name] = std::move(now);
  }
  dirty_.clear();
  return MsgValue::map({{"set", std::move(set)}, {"removed", std::move(removed)}});
}

}  // namespace lotse::network
