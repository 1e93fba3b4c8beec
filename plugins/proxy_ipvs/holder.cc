#include "plugins/proxy_ipvs/holder.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "lotse/error.hpp"

namespace lotse::proxy_ipvs {
namespace {

template <auto fn>
struct Drop {
  template <class T> void operator()(T* p) const { fn(p); }
};
using LinkPtr = std::unique_ptr<rtnl_link, Drop<rtnl_link_put>>;
using AddrPtr = std::unique_ptr<rtnl_addr, Drop<rtnl_addr_put>>;
using NlAddrPtr = std::unique_ptr<nl_addr, Drop<nl_addr_put>>;

AddrPtr address(const std::string& ip) {
  nl_addr* raw = nullptr;
  if (nl_addr_parse(ip.c_str(), AF_UNSPEC, &raw)) throw sdk::Failure(LOTSE_INTERNAL, "'" + ip + "' is not an address");
  NlAddrPtr local(raw);
  AddrPtr out(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(out.get(), static_cast<int>(if_nametoindex(kHolder)));
  rtnl_addr_set_local(out.get(), raw);
  if (nl_addr_get_family(raw) == AF_INET6) rtnl_addr_set_flags(out.get(), IFA_F_NODAD);
  return out;
}

template <class Fn>  // fn(interface, family, ip, flags)
void each_address(Fn fn) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list)) throw sdk::Failure(LOTSE_UNAVAILABLE, "the machine's addresses cannot be read");
  const std::unique_ptr<ifaddrs, Drop<freeifaddrs>> owner(list);
  for (auto* i = list; i; i = i->ifa_next) {
    if (!i->ifa_addr) continue;
    char text[INET6_ADDRSTRLEN];
    const int af = i->ifa_addr->sa_family;
    if (af != AF_INET && af != AF_INET6) continue;
    const void* raw = af == AF_INET ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(i->ifa_addr)->sin_addr)
                                    : static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(i->ifa_addr)->sin6_addr);
    if (!inet_ntop(af, raw, text, sizeof text)) continue;
    fn(std::string(i->ifa_name), af == AF_INET ? Family::kIPv4 : Family::kIPv6, std::string(text), i->ifa_flags);
  }
}

}  // namespace

Holder::Holder() : sock_(nl_socket_alloc()) {
  if (!sock_ || nl_connect(sock_, NETLINK_ROUTE)) {
    nl_socket_free(sock_);
    throw sdk::Failure(LOTSE_UNAVAILABLE, "no route netlink");
  }
}
Holder::~Holder() { nl_socket_free(sock_); }

void Holder::fail(const std::string& doing, int code) const { throw sdk::Failure(LOTSE_UNAVAILABLE, doing + ": " + nl_geterror(code)); }

void Holder::ensure() {
  if (!if_nametoindex(kHolder)) {
    int code = 0;
    for (const char* type : {"dummy", "bridge"}) {
      LinkPtr link(rtnl_link_alloc());
      rtnl_link_set_name(link.get(), kHolder);
      if (!(code = rtnl_link_set_type(link.get(), type))) code = rtnl_link_add(sock_, link.get(), NLM_F_CREATE | NLM_F_EXCL);
      if (!code) break;
    }
    if (code) fail(std::string("making the interface ") + kHolder, code);
  }
  rtnl_link* raw = nullptr;
  if (int code = rtnl_link_get_kernel(sock_, 0, kHolder, &raw)) fail(std::string("reading the interface ") + kHolder, code);
  LinkPtr link(raw), change(rtnl_link_alloc());
  rtnl_link_set_flags(change.get(), IFF_UP);
  if (int code = rtnl_link_change(sock_, raw, change.get(), 0)) fail(std::string("setting the interface ") + kHolder + " up", code);
}

void Holder::sync(const std::set<std::string>& wanted) {
  ensure();
  std::set<std::string> there;
  each_address([&](const std::string& interface, Family, const std::string& ip, unsigned) {
    if (interface == kHolder && !ip.starts_with("fe80:")) there.insert(ip);
  });
  for (const auto& ip : there)
    if (!wanted.contains(ip)) remove(ip);
  for (const auto& ip : wanted)
    if (!there.contains(ip)) add(ip);
}

void Holder::add(const std::string& ip) {
  if (int code = rtnl_addr_add(sock_, address(ip).get(), 0); code && code != -NLE_EXIST) fail("giving " + ip + " to " + kHolder, code);
}

void Holder::remove(const std::string& ip) {
  if (int code = rtnl_addr_delete(sock_, address(ip).get(), 0); code && code != -NLE_NOADDR && code != -NLE_OBJ_NOTFOUND) fail("taking " + ip + " from " + kHolder, code);
}

void Holder::destroy() {
  if (!if_nametoindex(kHolder)) return;
  LinkPtr link(rtnl_link_alloc());
  rtnl_link_set_name(link.get(), kHolder);
  if (int code = rtnl_link_delete(sock_, link.get())) fail(std::string("removing the interface ") + kHolder, code);
}

std::map<Family, Addresses> machine_addresses(const std::vector<std::string>& node_port_addresses) {
  std::map<Family, Addresses> out;
  each_address([&](const std::string& interface, Family family, const std::string& ip, unsigned flags) {
    if (interface == kHolder || (flags & IFF_LOOPBACK) || ip.starts_with("fe80:")) return;
    out[family].own.insert(ip);
    bool answers = node_port_addresses.empty();
    for (const auto& cidr : node_port_addresses) answers = answers || in_network(ip, cidr, family);
    if (answers) out[family].node_ports.insert(ip);
  });
  return out;
}

}  // namespace lotse::proxy_ipvs
