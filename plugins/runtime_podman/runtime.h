#pragma once
#include "plugins/engine_http/http_runtime.h"
#include "plugins/runtime_podman/podman_engine.h"

namespace lotse::runtime_podman {

class PodmanRuntime : public engine_http::HttpRuntime {
 public:
  PodmanRuntime(const sdk::Host& host, const sdk::Config& config)
      : HttpRuntime(host, std::make_unique<PodmanEngine>(host, Settings::read(host, config))) {}
  static std::vector<lotse_key> keys() { return Settings::keys(); }
};

}  // namespace lotse::runtime_podman
