// What this plugin takes from container_engine and grpc_client, under the names that it is used by here.
#pragma once

namespace lotse::container_engine {
class Reactor;
}
namespace lotse::grpc_client {
class GrpcClient;
}
namespace lotse::runtime_containerd {
using namespace container_engine;
using namespace grpc_client;
}  // namespace lotse::runtime_containerd
