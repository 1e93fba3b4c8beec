// What the configuration table and the host's directories come to, and the files of the daemons of our own.
#pragma once
#include <string>
#include <vector>

#include "lotse/plugin.hpp"
#include "plugins/container_engine/machine.h"
#include "plugins/engine_http/http_engine.h"

namespace lotse::runtime_docker {
using namespace container_engine;

struct Settings {
  bool managed = true;
  std::string dockerd, containerd;  // paths of the programs, or names for PATH
  std::string storage_driver;       // "": overlay2 where it works, else vfs
  bool systemd_cgroup = false;
  std::string containerd_socket;
  engine_http::EngineSettings engine;

  std::string trust_dir() const { return engine.data_dir + "/registries"; }

  static std::vector<lotse_key> keys();
  static Settings read(const sdk::Host& host, const sdk::Config& config);
};

// The managed dockerd's daemon.json, and its containerd's configuration.
std::string dockerd_json(const Settings& settings, const HostAbilities& abilities,
                         const std::vector<std::string>& insecure_registries = {});
// What we have told it to trust: a file REGISTRY.crt or REGISTRY.insecure each.
std::vector<std::string> insecure_registries(const Settings& settings);
std::string containerd_toml(const Settings& settings);

}  // namespace lotse::runtime_docker
