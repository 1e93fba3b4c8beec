// What a master and a worker of one process share.
#pragma once
#include <memory>
#include <string>

#include "core/base/loop.h"
#include "core/bus/bus.h"
#include "core/config/config.h"
#include "core/plugin/host.h"
#include "core/plugin/plugins.h"

namespace lotse::daemon {

struct Base {
  config::Config config;
  Loop& loop;             // the core's: controllers, scheduler, agent, network
  WorkerPool& pool;
  bus::Context& bus;
  plugin::Plugins& plugins;
  plugin::Host& host;
  std::string version;    // "v1.36.0+lotse.0.1.0"
  std::string node_address;  // by which others reach this machine
  const std::string& dir() const { return config.daemon.data_dir; }
};

}  // namespace lotse::daemon
