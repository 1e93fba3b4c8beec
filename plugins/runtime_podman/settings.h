// What the configuration table and the host's directories come to, and the configuration of the service of our own.
#pragma once
#include <string>
#include <vector>

#include "lotse/plugin.hpp"
#include "plugins/container_engine/machine.h"
#include "plugins/engine_http/http_engine.h"

namespace lotse::runtime_podman {
using namespace container_engine;

struct Settings {
  bool managed = true;
  std::string podman;          // path of the program, or a name for PATH
  std::string storage_driver;  // "": overlay where it works, else vfs
  std::string oci_runtime;
  bool systemd_cgroup = false;
  std::string run_root;  // of the managed one
  engine_http::EngineSettings engine;

  std::string home() const { return engine.data_dir + "/home"; }  // of the managed one: certificates of registries

  static std::vector<lotse_key> keys();
  static Settings read(const sdk::Host& host, const sdk::Config& config);
};

std::string containers_conf(const Settings& settings, const HostAbilities& abilities);
std::vector<std::string> service_command(const Settings& settings, const HostAbilities& abilities);

}  // namespace lotse::runtime_podman
