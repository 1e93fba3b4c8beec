// Links, addresses, routes and neighbours by netlink, level-triggered: say what there must be, and what differs is changed. Marks what is ours
// (routes by protocol number, links by name), so that it is found again after a restart. [worker] Blocks shortly. Private to
// core/network.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace lotse::network {

inline constexpr int kRouteProtocol = 76;  // rtm_protocol of our routes: 'L'

struct Route {
  std::string to;       // "10.244.2.0/24"
  std::string via;      // gateway; empty: the link itself
  std::string device;   // empty: as the gateway is reached
  bool onlink = false;
  friend auto operator<=>(const Route&, const Route&) = default;
};
struct Neighbour {      // of a VXLAN device
  std::string ip;       // the other node's tunnel address (its pod network's first)
  std::string mac;
  std::string node_ip;  // where frames for the MAC are sent
  friend auto operator<=>(const Neighbour&, const Neighbour&) = default;
};

class Netlink {
 public:
  static Result<std::unique_ptr<Netlink>> open();
  virtual ~Netlink() = default;
  // A link to hold addresses: a dummy, or a bridge where the kernel has no dummy.
  virtual Status ensure_holder(const std::string& name, const std::vector<std::string>& addresses) = 0;
  virtual Status ensure_vxlan(const std::string& name, uint32_t id, uint16_t port, const std::string& local_ip, const std::string& mac,
                              const std::vector<std::string>& addresses) = 0;
  virtual Status remove_link(const std::string& name) = 0;  // ok if it is not there
  virtual Status sync_routes(const std::vector<Route>& routes) = 0;
  virtual Status sync_neighbours(const std::string& device, const std::vector<Neighbour>& neighbours) = 0;
  // Whether ip lies in the network of one of this machine's own addresses.
  virtual Result<bool> on_link(const std::string& ip) = 0;
  // The address that is used to reach the default route; empty: there is none.
  virtual Result<std::string> default_address(bool ipv6) = 0;
  virtual Result<int> mtu_towards(const std::string& ip) = 0;
};

}  // namespace lotse::network
