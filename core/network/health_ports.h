// HealthPorts: answers on the health check node ports of Services, by which a load balancer outside learns whether this node has
// endpoints of a Service whose external policy is Local: 200 while it has a ready one, else 503, whatever is asked for. One for all proxy modes.
//
// Threads: one loop.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "core/base/loop.h"

namespace lotse::network {

struct HealthPort {
  std::string ns, name;
  int local = 0;  // ready endpoints on this node
  friend bool operator==(const HealthPort&, const HealthPort&) = default;
};

class HealthPorts {
 public:
  explicit HealthPorts(Loop& loop);
  ~HealthPorts();
  // Exactly these from now on; a port that cannot be opened is told, and tried again every ten seconds.
  void set(std::map<int, HealthPort> wanted);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lotse::network
