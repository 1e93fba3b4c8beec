// PodNetwork: gives the pods of this node addresses that every node can reach: a bridge by CNI, routes to the pods of other nodes, VXLAN to
// those that are not on our link, and the few rules around it.
//
// Level-triggered: each call says how it must be, and may be repeated. [worker], one call at a time.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/network/netlink.h"

namespace lotse::network {

struct NodeNetwork {  // of another node
  std::string name;
  std::vector<std::string> ips;  // one a family, the first is the primary: tunnels go there
  std::vector<std::string> pod_cidrs;
  friend auto operator<=>(const NodeNetwork&, const NodeNetwork&) = default;
};

class PodNetwork {
 public:
  struct Config {
    std::string cni_dir;                     // the conflist goes here
    std::string ipam_dir;                    // addresses that are taken
    std::vector<std::string> cluster_cidrs;  // of all pods
    std::string backend = "auto";            // auto | routes | vxlan
    std::string bridge = "lotse0", tunnel = "lotse.vx", holder = "lotse.dns";
    bool given = false;  // the runtime leaves the network to us; else it calls CNI itself
  };
  // How the pods of other nodes are reached.
  struct Paths {
    std::vector<Route> routes;
    std::vector<Neighbour> neighbours;  // none: no tunnel is needed
  };
  explicit PodNetwork(Config config) : config_(std::move(config)) {}
  // Our own addresses and pod networks: writes the conflist and the rules.
  Status set_self(const std::string& node_ip, const std::vector<std::string>& pod_cidrs);
  Status set_nodes(const std::vector<NodeNetwork>& nodes);
  // An interface of ours holds these addresses (the DNS server's).
  Status hold(const std::vector<std::string>& addresses);
  // As if never there.
  Status remove_all();

  // Pure, for tests.
  static std::string conflist(const Config& config, const std::vector<std::string>& pod_cidrs, int mtu);
  static std::string rules(const Config& config, const std::vector<std::string>& pod_cidrs, bool ipv6, const std::string& save_nat, const std::string& save_filter);
  // What iptables-restore is told about portmap's chains when the last host port has gone; empty: nothing is to be done.
  static std::string without_host_ports(const std::string& nat_save);
  // Directly where the other node has an address of the family that is on our link (or the backend says so), else through the tunnel.
  static Paths paths(const Config& config, const std::vector<NodeNetwork>& nodes, const std::function<bool(const std::string&)>& on_link);
  static std::string tunnel_mac(const std::string& node_ip);

 private:
  Status write_rules(bool ipv6, const std::vector<std::string>& pod_cidrs);
  Config config_;
  std::unique_ptr<Netlink> netlink_;
  Status connect();
  std::string node_ip_;
  std::vector<std::string> pod_cidrs_;
};

}  // namespace lotse::network
