// What the configuration table and the host's directories come to.
#pragma once
#include <string>

#include "lotse/plugin.hpp"
#include "plugins/runtime_containerd/cri_request.h"

namespace lotse::runtime_containerd {

struct Settings {
  bool managed = true;
  std::string socket;
  std::string containerd;   // path of the program, or a name for PATH
  std::string snapshotter;  // "": overlayfs where it works, else native
  bool systemd_cgroup = false;
  std::string pause_image;
  std::string cni_conf_dir;  // where containerd looks for its network; external and empty: left alone
  std::string cni_bin_dir;
  std::string data_dir;  // root of the managed containerd, config, log
  std::string run_dir;   // its state, pid file, lock; FIFOs of exec
  Machine machine;

  std::string registries_dir() const { return data_dir + "/registries"; }  // of the managed containerd

  static std::vector<lotse_key> keys();
  static Settings read(const sdk::Host& host, const sdk::Config& config);
};

}  // namespace lotse::runtime_containerd
