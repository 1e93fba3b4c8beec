// What the host offers to a plugin. Host makes the services that are the same for all (loop and work) and has a
// registry in which other rooms put theirs (lotse.host.api/1, lotse.host.tls/1). PluginHost is one plugin's view of it:
// its own log prefix, directories and faults.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/loop.h"
#include "core/base/result.h"
#include "lotse/abi/host.h"

namespace lotse::plugin {

struct HostOptions {
  std::string data_dir;  // DIR; a plugin gets DIR/<kind>/<name>
  std::string run_dir;   // a plugin gets <run_dir>/<kind>/<name>; empty: DIR/run
  std::string node_name;
  // [any] A fault was raised; an empty reason: it is over. Without this they are only logged.
  std::function<void(const std::string& plugin, const std::string& id, const std::string& reason,
                     const std::string& message)>
      fault;
};

class LoopService;

class Host {
 public:
  // REQUIRES: loop and workers outlive every plugin.
  Host(Loop& loop, WorkerPool& workers, HostOptions options);
  ~Host();
  const HostOptions& options() const { return options_; }
  // [init] Offers a service to all plugins that are created from now on, before one of ours of that id; `service` is the C struct and lives
  // as long as they.
  void offer(const std::string& id, const void* service);
  // The same, made for each plugin: kind and name are passed in.
  void offer_each(const std::string& id,
                  std::function<const void*(const std::string& kind, const std::string& name)> make);

 private:
  friend class PluginHost;
  Loop& loop_;
  WorkerPool& workers_;
  HostOptions options_;
  std::unique_ptr<LoopService> loop_service_;
  std::mutex mutex_;
  std::map<std::string, std::function<const void*(const std::string&, const std::string&)>> services_;
};

// Lives as long as the plugin's instance.
class PluginHost {
 public:
  // [init] Makes the plugin's directories, 0700.
  static Result<std::unique_ptr<PluginHost>> make(Host& host, const std::string& kind, const std::string& name);
  ~PluginHost();
  const lotse_host* raw() const;

 private:
  struct Impl;
  explicit PluginHost(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lotse::plugin
