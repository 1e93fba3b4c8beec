#include "core/network/netlink.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vxlan.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

namespace lotse::network {
namespace {

template <auto fn>
struct Drop {
  template <class T> void operator()(T* p) const { fn(p); }
};
using SockPtr = std::unique_ptr<nl_sock, Drop<nl_socket_free>>;
using CachePtr = std::unique_ptr<nl_cache, Drop<nl_cache_free>>;
using LinkPtr = std::unique_ptr<rtnl_link, Drop<rtnl_link_put>>;
using AddrPtr = std::unique_ptr<rtnl_addr, Drop<rtnl_addr_put>>;
using NlAddrPtr = std::unique_ptr<nl_addr, Drop<nl_addr_put>>;
using RoutePtr = std::unique_ptr<rtnl_route, Drop<rtnl_route_put>>;
using NeighPtr = std::unique_ptr<rtnl_neigh, Drop<rtnl_neigh_put>>;

Status failed(const std::string& doing, int code) { return Status(Reason::kInternalError, doing + ": " + nl_geterror(code)); }

Result<NlAddrPtr> parse(const std::string& text, int family = AF_UNSPEC) {
  nl_addr* raw = nullptr;
  if (int code = nl_addr_parse(text.c_str(), family, &raw)) return failed("'" + text + "' is not an address", code);
  return NlAddrPtr(raw);
}

std::string text_of(nl_addr* address) {
  char buffer[128];
  return address ? nl_addr2str(address, buffer, sizeof buffer) : std::string();
}
std::string bare(std::string text) { return text.substr(0, text.find('/')); }

class LibNl : public Netlink {
 public:
  explicit LibNl(SockPtr sock) : sock_(std::move(sock)) {}

  Status ensure_holder(const std::string& name, const std::vector<std::string>& addresses) override {
    if (!if_nametoindex(name.c_str())) {
      int code = add_link(name, "dummy");
      if (code) code = add_link(name, "bridge");
      if (code) return failed("making the link " + name, code);
    }
    LOTSE_CHECK_OK(set_up(name));
    return sync_addresses(name, addresses);
  }

  Status ensure_vxlan(const std::string& name, uint32_t id, uint16_t port, const std::string& local_ip, const std::string& mac, const std::vector<std::string>& addresses) override {
    if (!if_nametoindex(name.c_str())) {
      LinkPtr link(rtnl_link_vxlan_alloc());
      rtnl_link_set_name(link.get(), name.c_str());
      rtnl_link_vxlan_set_id(link.get(), id);
      rtnl_link_vxlan_set_port(link.get(), port);
      rtnl_link_vxlan_set_learning(link.get(), 0);
      LOTSE_TRY(NlAddrPtr local, parse(local_ip));
      rtnl_link_vxlan_set_local(link.get(), local.get());
      LOTSE_TRY(NlAddrPtr hardware, parse(mac, AF_LLC));
      rtnl_link_set_addr(link.get(), hardware.get());
      if (int code = rtnl_link_add(sock_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL)) return failed("making the VXLAN link " + name, code);
    }
    LOTSE_CHECK_OK(set_up(name));
    return sync_addresses(name, addresses);
  }

  Status remove_link(const std::string& name) override {
    if (!if_nametoindex(name.c_str())) return {};
    LinkPtr link(rtnl_link_alloc());
    rtnl_link_set_name(link.get(), name.c_str());
    if (int code = rtnl_link_delete(sock_.get(), link.get())) return failed("removing the link " + name, code);
    return {};
  }

  Status sync_routes(const std::vector<Route>& wanted) override {
    std::set<std::string> keep;
    for (const auto& r : wanted) {
      LOTSE_CHECK_OK(replace_route(r));
      LOTSE_TRY(NlAddrPtr to, parse(r.to));
      keep.insert(text_of(to.get()));
    }
    nl_cache* raw = nullptr;
    if (int code = rtnl_route_alloc_cache(sock_.get(), AF_UNSPEC, 0, &raw)) return failed("reading the routes", code);
    CachePtr cache(raw);
    for (nl_object* o = nl_cache_get_first(raw); o; o = nl_cache_get_next(o)) {
      auto* route = reinterpret_cast<rtnl_route*>(o);
      if (rtnl_route_get_protocol(route) != kRouteProtocol || keep.contains(text_of(rtnl_route_get_dst(route)))) continue;
      if (int code = rtnl_route_delete(sock_.get(), route, 0); code && code != -NLE_OBJ_NOTFOUND) return failed("removing a route", code);
    }
    return {};
  }

  Status sync_neighbours(const std::string& device, const std::vector<Neighbour>& wanted) override {
    const int index = static_cast<int>(if_nametoindex(device.c_str()));
    if (!index) return Status(Reason::kNotFound, "there is no link " + device);
    std::set<std::string> macs, ips;
    for (const auto& n : wanted) {
      LOTSE_CHECK_OK(add_neighbour(index, n.ip, n.mac, false));
      LOTSE_CHECK_OK(add_neighbour(index, n.node_ip, n.mac, true));
      macs.insert(n.mac + "@" + n.node_ip);
      ips.insert(n.ip);
    }
    for (int family : {AF_INET, AF_INET6, AF_BRIDGE}) {
      nl_cache* raw = nullptr;
      if (rtnl_neigh_alloc_cache_flags(sock_.get(), &raw, family == AF_BRIDGE ? NL_CACHE_AF_ITER : 0)) continue;
      CachePtr cache(raw);
      for (nl_object* o = nl_cache_get_first(raw); o; o = nl_cache_get_next(o)) {
        auto* n = reinterpret_cast<rtnl_neigh*>(o);
        if (rtnl_neigh_get_ifindex(n) != index || !(rtnl_neigh_get_state(n) & NUD_PERMANENT)) continue;
        const std::string mac = text_of(rtnl_neigh_get_lladdr(n)), ip = bare(text_of(rtnl_neigh_get_dst(n)));
        const bool ours = rtnl_neigh_get_family(n) == AF_BRIDGE ? ip.empty() || macs.contains(mac + "@" + ip) : ips.contains(ip);
        if (!ours) rtnl_neigh_delete(sock_.get(), n, 0);
      }
    }
    return {};
  }

  Result<bool> on_link(const std::string& ip) override {
    LOTSE_TRY(NlAddrPtr wanted, parse(ip));
    nl_cache* raw = nullptr;
    if (int code = rtnl_addr_alloc_cache(sock_.get(), &raw)) return failed("reading the addresses", code);
    CachePtr cache(raw);
    for (nl_object* o = nl_cache_get_first(raw); o; o = nl_cache_get_next(o)) {
      nl_addr* local = rtnl_addr_get_local(reinterpret_cast<rtnl_addr*>(o));
      if (!local || nl_addr_get_family(local) != nl_addr_get_family(wanted.get())) continue;
      if (nl_addr_cmp_prefix(local, wanted.get()) == 0) return true;
    }
    return false;
  }

  // A connected datagram socket takes its own address from the route; nothing is sent.
  Result<std::string> default_address(bool ipv6) override {
    const int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return std::string();
    sockaddr_storage to{};
    socklen_t size = sizeof to;
    if (ipv6) {
      auto* a = reinterpret_cast<sockaddr_in6*>(&to);
      a->sin6_family = AF_INET6;
      a->sin6_port = htons(9);
      inet_pton(AF_INET6, "2001:db8::1", &a->sin6_addr);
    } else {
      auto* a = reinterpret_cast<sockaddr_in*>(&to);
      a->sin_family = AF_INET;
      a->sin_port = htons(9);
      inet_pton(AF_INET, "192.0.2.1", &a->sin_addr);
    }
    std::string out;
    char text[INET6_ADDRSTRLEN];
    if (connect(fd, reinterpret_cast<sockaddr*>(&to), ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in)) == 0 &&
        getsockname(fd, reinterpret_cast<sockaddr*>(&to), &size) == 0) {
      const void* from = ipv6 ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(&to)->sin6_addr)
                              : static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(&to)->sin_addr);
      if (inet_ntop(ipv6 ? AF_INET6 : AF_INET, from, text, sizeof text)) out = text;
    }
    close(fd);
    return out;
  }

  Result<int> mtu_towards(const std::string& ip) override {
    nl_cache* raw = nullptr;
    if (int code = rtnl_link_alloc_cache(sock_.get(), AF_UNSPEC, &raw)) return failed("reading the links", code);
    CachePtr links(raw);
    nl_cache* addresses_raw = nullptr;
    if (int code = rtnl_addr_alloc_cache(sock_.get(), &addresses_raw)) return failed("reading the addresses", code);
    CachePtr addresses(addresses_raw);
    for (nl_object* o = nl_cache_get_first(addresses_raw); o; o = nl_cache_get_next(o)) {
      auto* a = reinterpret_cast<rtnl_addr*>(o);
      if (bare(text_of(rtnl_addr_get_local(a))) != ip) continue;
      LinkPtr link(rtnl_link_get(raw, rtnl_addr_get_ifindex(a)));
      if (link) return static_cast<int>(rtnl_link_get_mtu(link.get()));
    }
    return 1500;
  }

 private:
  int add_link(const std::string& name, const char* type) {
    LinkPtr link(rtnl_link_alloc());
    rtnl_link_set_name(link.get(), name.c_str());
    if (int code = rtnl_link_set_type(link.get(), type)) return code;
    return rtnl_link_add(sock_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL);
  }

  Status set_up(const std::string& name) {
    rtnl_link* raw = nullptr;
    if (int code = rtnl_link_get_kernel(sock_.get(), 0, name.c_str(), &raw)) return failed("reading the link " + name, code);
    LinkPtr link(raw), change(rtnl_link_alloc());
    rtnl_link_set_flags(change.get(), IFF_UP);
    if (int code = rtnl_link_change(sock_.get(), raw, change.get(), 0)) return failed("setting the link " + name + " up", code);
    return {};
  }

  Status sync_addresses(const std::string& name, const std::vector<std::string>& wanted) {
    const int index = static_cast<int>(if_nametoindex(name.c_str()));
    std::set<std::string> keep;
    for (const auto& text : wanted) {
      LOTSE_TRY(NlAddrPtr local, parse(text));
      AddrPtr address(rtnl_addr_alloc());
      rtnl_addr_set_ifindex(address.get(), index);
      rtnl_addr_set_local(address.get(), local.get());
      if (nl_addr_get_family(local.get()) == AF_INET6) rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
      if (int code = rtnl_addr_add(sock_.get(), address.get(), 0); code && code != -NLE_EXIST) return failed("giving " + text + " to " + name, code);
      keep.insert(bare(text));
    }
    nl_cache* raw = nullptr;
    if (int code = rtnl_addr_alloc_cache(sock_.get(), &raw)) return failed("reading the addresses", code);
    CachePtr cache(raw);
    for (nl_object* o = nl_cache_get_first(raw); o; o = nl_cache_get_next(o)) {
      auto* a = reinterpret_cast<rtnl_addr*>(o);
      const std::string text = bare(text_of(rtnl_addr_get_local(a)));
      if (rtnl_addr_get_ifindex(a) == index && !keep.contains(text) && !text.starts_with("fe80:")) rtnl_addr_delete(sock_.get(), a, 0);
    }
    return {};
  }

  Status replace_route(const Route& r) {
    LOTSE_TRY(NlAddrPtr to, parse(r.to));
    RoutePtr route(rtnl_route_alloc());
    rtnl_route_set_dst(route.get(), to.get());
    rtnl_route_set_protocol(route.get(), kRouteProtocol);
    rtnl_nexthop* hop = rtnl_route_nh_alloc();
    if (!r.via.empty()) {
      auto via = parse(r.via);
      if (!via.ok()) {
        rtnl_route_nh_free(hop);
        return via.status();
      }
      rtnl_route_nh_set_gateway(hop, via->get());
    }
    if (!r.device.empty()) rtnl_route_nh_set_ifindex(hop, static_cast<int>(if_nametoindex(r.device.c_str())));
    if (r.onlink) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
    rtnl_route_add_nexthop(route.get(), hop);
    if (int code = rtnl_route_add(sock_.get(), route.get(), NLM_F_CREATE | NLM_F_REPLACE)) return failed("setting the route to " + r.to + " via " + r.via, code);
    return {};
  }

  Status add_neighbour(int index, const std::string& ip, const std::string& mac, bool forwarding) {
    LOTSE_TRY(NlAddrPtr destination, parse(ip));
    LOTSE_TRY(NlAddrPtr hardware, parse(mac, AF_LLC));
    NeighPtr n(rtnl_neigh_alloc());
    rtnl_neigh_set_ifindex(n.get(), index);
    rtnl_neigh_set_lladdr(n.get(), hardware.get());
    rtnl_neigh_set_dst(n.get(), destination.get());
    rtnl_neigh_set_state(n.get(), NUD_PERMANENT);
    if (forwarding) {
      rtnl_neigh_set_family(n.get(), AF_BRIDGE);
      rtnl_neigh_set_flags(n.get(), NTF_SELF);
    }
    if (int code = rtnl_neigh_add(sock_.get(), n.get(), NLM_F_CREATE | NLM_F_REPLACE)) return failed("adding a neighbour for " + ip, code);
    return {};
  }

  SockPtr sock_;
};

}  // namespace

Result<std::unique_ptr<Netlink>> Netlink::open() {
  SockPtr sock(nl_socket_alloc());
  if (!sock) return Status(Reason::kInternalError, "no memory for a netlink socket");
  if (int code = nl_connect(sock.get(), NETLINK_ROUTE)) return failed("connecting to netlink", code);
  return std::unique_ptr<Netlink>(new LibNl(std::move(sock)));
}

}  // namespace lotse::network
