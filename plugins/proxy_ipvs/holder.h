// Holder: the interface lotse-ipvs0, which has the Services' addresses, so that the kernel takes what is sent there for its own and
// hands it to IPVS. A dummy, or a bridge without ports where there is no dummy. [worker] Throws sdk::Failure.
#pragma once
#include <memory>

#include "plugins/proxy_ipvs/wanted.h"

struct nl_sock;

namespace lotse::proxy_ipvs {

inline constexpr const char* kHolder = "lotse-ipvs0";

class Holder {
 public:
  Holder();
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  void ensure();                                   // it is there and up
  void sync(const std::set<std::string>& wanted);  // exactly these, of both families
  void add(const std::string& ip);
  void remove(const std::string& ip);
  void destroy();  // ok if it is not there

 private:
  void fail(const std::string& doing, int code) const;
  nl_sock* sock_;
};

// This machine's addresses without loopback's, link-local ones and ours; node_port_addresses: networks that limit node ports (empty: all).
std::map<Family, Addresses> machine_addresses(const std::vector<std::string>& node_port_addresses);

}  // namespace lotse::proxy_ipvs
