// lotse.host.api/1 over a Handler: what a transport plugin calls. Bodies are not copied on the way in (the plugin's buffer is held until
// the request is done with) nor out (the plugin gets a scatter list and says when it has sent it).
#pragma once
#include <memory>

#include "core/api/request.h"
#include "core/plugin/host.h"
#include "lotse/abi/transport.h"

namespace lotse::api {

class TransportHost {
 public:
  // REQUIRES: handler outlives the transports.
  explicit TransportHost(Handler& handler);
  ~TransportHost();
  const lotse_host_api* raw() const;
  // Puts it into the registry of host services.
  void offer(plugin::Host& host);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse::api
