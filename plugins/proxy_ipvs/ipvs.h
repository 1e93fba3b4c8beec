// Ipvs: the kernel's load balancer, spoken to by generic netlink. Ours are virtual services with a flag that no scheduler uses
// (IP_VS_SVC_F_SCHED3); others are not seen. [worker] Blocks shortly. Throws sdk::Failure.
#pragma once
#include <memory>
#include <optional>

#include "plugins/proxy_ipvs/virtual_service.h"

namespace lotse::proxy_ipvs {

struct KernelVirtual {
  std::string scheduler;
  int persistence_s = 0;
  bool ours = false;
};
struct KernelDestination {
  int weight = 0;
  uint32_t connections = 0;  // active and closing
};

class Ipvs {
 public:
  // LOTSE_UNSUPPORTED where the kernel has none.
  static std::unique_ptr<Ipvs> open();
  virtual ~Ipvs() = default;
  virtual std::vector<VirtualKey> ours() = 0;
  virtual std::optional<KernelVirtual> find(const VirtualKey& key) = 0;
  virtual std::map<Destination, KernelDestination> destinations(const VirtualKey& key) = 0;
  virtual void set(const VirtualKey& key, const std::string& scheduler, int persistence_s, bool exists) = 0;
  virtual void remove(const VirtualKey& key) = 0;
  virtual void set(const VirtualKey& key, const Destination& to, int weight, bool exists) = 0;
  virtual void remove(const VirtualKey& key, const Destination& to) = 0;
  // LOTSE_UNSUPPORTED where the kernel lacks the scheduler.
  virtual void require_scheduler(const std::string& name) = 0;
};

}  // namespace lotse::proxy_ipvs
