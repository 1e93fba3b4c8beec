// The keys of [plugins.state.etcd], checked.
#pragma once
#include <lotse/plugin.hpp>
#include <memory>

#include "plugins/grpc_client/wire.h"

namespace lotse::state_etcd {

struct Endpoint {
  std::string host, port;
  grpc_client::GrpcTarget target;
};

struct Settings {
  std::vector<Endpoint> endpoints;
  std::string prefix;
  std::string user, password;
  int64_t timeout_ns = 0;

  static std::vector<lotse_key> keys();
  static Settings read(const sdk::Config& config);  // throws Failure
};

// [worker] Asks the resolver. False: it knows no address.
bool resolve(Endpoint& endpoint, std::string* why);

}  // namespace lotse::state_etcd
