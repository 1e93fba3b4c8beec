// Master: state backend, store, API server, transports, bus, controllers, scheduler; in that order, and ended the other way round.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/api/server.h"
#include "core/daemon/base.h"
#include "core/daemon/cluster.h"

namespace lotse::daemon {

class Master {
 public:
  // [main] Returns once requests are answered and the bootstrap objects are there.
  static Result<std::unique_ptr<Master>> start(Base& base);
  virtual ~Master() = default;
  virtual const ClusterSettings& cluster() const = 0;
  virtual std::vector<std::string> addresses() const = 0;     // of all transports
  virtual std::string kubeconfig_file() const = 0;
  virtual bus::Registry& registry() = 0;
  virtual std::vector<std::string> connected_nodes() const = 0;
  virtual bus::MasterAddress bus_address() const = 0;
  virtual store::Store& store() = 0;
  virtual api::Handler& api() = 0;
  virtual std::vector<const plugin::Owned*> plugins() const = 0;  // the instances of state and transports
  // [worker] Other scheduler policies from now on, those that `config` names, in its order.
  virtual void set_policies(std::vector<std::unique_ptr<plugin::SchedulerPlugin>> policies, const config::Config& config) = 0;
  // [worker] The serving certificate and the administrator's are made anew now; connections that there are go on until their bound.
  virtual Status rotate_certificates() = 0;
  virtual bool leads() const = 0;  // its controllers and scheduler work
  // [any] A plugin raised a fault (an empty reason: it is over): the state backend's shows in /readyz.
  virtual void fault(const std::string& plugin, const std::string& id, const std::string& reason) = 0;
};

}  // namespace lotse::daemon
