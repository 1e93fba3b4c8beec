// Wiring: what a worker does about the network: follows nodes, services and endpoint slices; gives pods their network, the proxy
// plugin its table, and answers DNS. What it follows is remembered on disk, so that a worker that is started while no master answers does
// all of that as before.
//
// Threads: the client's loop; what blocks goes to the pool, one piece of work of a kind at a time.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/api/client.h"
#include "core/base/loop.h"
#include "core/network/dns_server.h"
#include "core/network/follow.h"
#include "core/network/pod_network.h"
#include "core/network/services.h"
#include "core/plugin/instance.h"

namespace lotse::network {

class Wiring {
 public:
  struct Config {
    std::string node_name;
    std::vector<std::string> node_ips;  // one a family, the first is the primary
    std::vector<std::string> cluster_cidrs, dns_addresses;
    std::string domain, backend, data_dir;
    std::string resolv_conf = "/etc/resolv.conf";
    std::function<Status()> rules_are_in;  // [worker] once, after the proxy has put in the whole table; may be empty
    bool pods = true;  // pods have networks (the runtime's is "own" or "given"), and DNS is served
  };
  // Where sets of objects are kept across restarts (the agent's checkpoint); either function may be empty: nothing is kept.
  struct Memory {
    std::function<std::vector<ObjectPtr>(const std::string& set)> read;                                              // [loop] once, at start()
    std::function<void(const std::string& set, std::function<std::vector<ObjectPtr>()> collect)> write_soon;  // [loop]
  };
  // proxy may be null. ready: [loop] how the pod network is, whenever that changes.
  Wiring(Config config, api::Client& client, const plugin::ProxyPlugin* proxy, WorkerPool& pool, std::function<void(Status)> ready, Memory memory = {});
  ~Wiring();
  // [loop]
  void start();
  // [loop] Our Node as the API has it.
  void set_node(const ObjectPtr& node);
  // [loop] Ends all activity; done when nothing is under way. What the kernel has stays.
  void stop(std::function<void()> done);
  std::string cni_dir() const;
  // [worker] Takes all of it out of the kernel again.
  static Status remove_all(const Config& config, const plugin::ProxyPlugin* proxy);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse::network
