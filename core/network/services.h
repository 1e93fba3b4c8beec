// Services: what this node knows of Services and their endpoints, kept from watches and asked by the proxy table and the DNS
// server. A change of a Service or slice touches only what belongs to that Service.
//
// Threads: one loop.
#pragma once
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/msgpack.h"
#include "core/network/health_ports.h"
#include "core/object/object.h"

namespace lotse::network {

struct Endpoint {
  std::string ip, hostname, node, zone;
  bool ready = true, serving = true, terminating = false;
};
struct EndpointPort {
  std::string name, protocol;  // "TCP"
  int port = 0;
};
struct Slice {
  std::vector<EndpointPort> ports;
  std::vector<Endpoint> endpoints;
};
struct ServicePort {
  std::string name, protocol;
  int port = 0, node_port = 0;
};
struct Service {
  std::string ns, name, type;        // type: "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"
  std::vector<std::string> cluster_ips;  // empty: headless or ExternalName
  bool headless = false;
  std::string external_name;
  std::vector<ServicePort> ports;
  std::vector<std::string> external_ips, load_balancer_ips, source_ranges;
  int affinity_s = 0;
  bool internal_local = false, external_local = false;
  int health_check_port = 0;
  std::map<std::string, Slice> slices;  // by the slice's name
};

class Services {
 public:
  // `own`: cluster IPs that this node answers on itself (the DNS server's): they stay out of the proxy's table.
  explicit Services(std::string node_name, std::vector<std::string> own = {}) : node_name_(std::move(node_name)), own_(std::move(own)) {}

  // object null: deleted (ns and name say which). They return whether anything that matters has changed.
  bool set_service(const std::string& ns, const std::string& name, const ObjectPtr& object);
  bool set_slice(const std::string& ns, const std::string& slice, const ObjectPtr& object);
  void clear();  // before a new list

  const Service* find(std::string_view ns, std::string_view name) const;
  bool has_namespace(std::string_view ns) const;
  // By a cluster IP, or by the address of an endpoint of a headless Service (endpoint is set then).
  const Service* by_ip(const std::string& ip, const Endpoint** endpoint) const;

  // The table of the proxy plugin's contract (sdk/include/lotse/abi/proxy.h): the whole, or what has changed since the last call of
  // either as {set, removed}.
  MsgValue table(const std::vector<std::string>& node_addresses, const std::vector<std::string>& pod_cidrs,
                 const std::vector<std::string>& cluster_cidrs);
  MsgValue changes();
  // By port: for health_ports.h.
  std::map<int, HealthPort> health_ports() const;
  bool has_changes() const { return !dirty_.empty(); }

 private:
  using Name = std::pair<std::string, std::string>;
  std::vector<MsgValue> entries(const Service& service) const;
  void mark(const Name& name);
  void index_ips(const Service& service, bool add);

  std::string node_name_;
  std::vector<std::string> own_;
  std::map<Name, Service> services_;
  std::map<Name, std::string> slice_owner_;          // (ns, slice) -> service
  std::map<Name, std::map<std::string, Slice>> orphans_;  // slices that came before their Service
  std::unordered_map<std::string, std::set<Name>> by_ip_;
  std::map<std::string, int> namespaces_;
  std::set<Name> checked_;                           // those with a health check node port
  std::set<Name> dirty_;
  std::map<Name, std::set<std::string>> given_;      // ids the plugin was last told of
};

}  // namespace lotse::network
