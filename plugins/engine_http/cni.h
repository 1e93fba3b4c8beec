// CNI for engines that do not call it themselves: a list's plugins are run on a sandbox's network namespace, ADD in
// order and DEL in reverse, each given the result of the one before.
//
// What was asked for is written down (DIR/ID.json, 0600) before the first plugin runs, so that everything is given back
// after a crash too, and again with the result: the sandbox's addresses are found there after a restart.
//
// Threads: the reactor's.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "lotse/msgpack.hpp"
#include "plugins/engine_http/program.h"

namespace lotse::engine_http {

using sdk::Msg;

struct CniNetwork {
  std::string list;          // the conflist's text
  Msg ports = Msg::array();  // as runtimeConfig has them: {hostPort, containerPort, protocol, hostIP}
  std::vector<std::pair<std::string, std::string>> args;
  Msg result;  // nil: ADD has not come to its end

  std::vector<std::string> ips() const;
};

// The conflist of a sandbox_run request: the first of its `cni` directory by name. Throws LOTSE_UNAVAILABLE where there
// is none yet.
CniNetwork cni_network_of(const Msg& sandbox_request);

// The configuration that a plugin of the list reads. Pure.
std::string cni_plugin_config(const Msg& list, const Msg& plugin, const CniNetwork& network, const Msg& previous);

class Cni {
 public:
  Cni(Reactor& reactor, std::string directory, std::string bin_dir)
      : reactor_(reactor), directory_(std::move(directory)), bin_dir_(std::move(bin_dir)) {}

  // Throws what a plugin complains of, after everything has been given back.
  Co<CniNetwork> add(std::string id, std::string netns, CniNetwork network, int64_t deadline_ns);
  // netns: "" where the namespace is gone; addresses and ports are given back all the same. Fine if there is nothing.
  Co<Done> remove(std::string id, std::string netns, int64_t deadline_ns);
  std::optional<CniNetwork> known(const std::string& id) const;

 private:
  Co<Msg> run(std::string command, std::string id, std::string netns, CniNetwork network, Msg list, Msg plugin,
              Msg previous, int64_t deadline_ns);
  Co<Done> remove_network(std::string id, std::string netns, CniNetwork network, int64_t deadline_ns);
  std::string file(const std::string& id) const { return directory_ + "/" + id + ".json"; }
  void save(const std::string& id, const CniNetwork& network) const;

  Reactor& reactor_;
  const std::string directory_;
  const std::string bin_dir_;
};

}  // namespace lotse::engine_http
