#pragma once
#include "plugins/engine_http/http_runtime.h"
#include "plugins/runtime_docker/docker_engine.h"

namespace lotse::runtime_docker {

class DockerRuntime : public engine_http::HttpRuntime {
 public:
  DockerRuntime(const sdk::Host& host, const sdk::Config& config)
      : HttpRuntime(host, std::make_unique<DockerEngine>(host, Settings::read(host, config))) {}
  static std::vector<lotse_key> keys() { return Settings::keys(); }
};

}  // namespace lotse::runtime_docker
