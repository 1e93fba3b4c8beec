// Podman's libpod API 4.0.
#pragma once
#include "plugins/engine_http/dialect.h"

namespace lotse::engine_http {}
namespace lotse::runtime_podman {
using namespace engine_http;
using namespace container_engine;

inline constexpr char kApiPrefix[] = "/v4.0.0/libpod";

class PodmanDialect : public Dialect {
 public:
  ApiCall create(const ContainerSpec& spec) const override;
  ContainerFacts facts(const Json& inspected) const override;
  std::string stop_path(const std::string& id, int64_t seconds) const override;
  std::string remove_path(const std::string& id) const override;
  std::string wait_path(const std::string& id) const override;
  ApiCall update(const std::string& id, const Resources& resources) const override;
  std::string events_path(const std::string& owner, int64_t since_unix_ns) const override;
  std::optional<EngineEvent> event(const Json& line) const override;
  std::string exec_path(const std::string& id) const override;
  Msg exec_body(const std::vector<std::string>& command, bool in, bool out, bool err, bool tty) const override;
  std::string pull_path(const PullSource& source) const override;
};

}  // namespace lotse::runtime_podman
