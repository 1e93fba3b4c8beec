// Plugins: what was found, and instances made of it. One of these per process; libraries load when an instance (or a
// check of their configuration) first needs them.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/plugin/discovery.h"
#include "core/plugin/host.h"
#include "core/plugin/instance.h"
#include "core/plugin/isolation.h"
#include "lotse/abi/entry.h"

namespace lotse::plugin {

class Plugins {
 public:
  // [init] Looks into the directories; loads nothing.
  explicit Plugins(const std::vector<std::string>& directories);
  ~Plugins();  // REQUIRES: every instance is gone
  const std::deque<Found>& found() const { return found_; }
  // [worker] Looks once more: what is new counts from now on; what is loaded stays as it is.
  void look_again(const std::vector<std::string>& directories);
  // [worker] The files of loaded libraries that are no longer those that were loaded.
  std::vector<std::string> replaced() const;
  // The one that fills `kind` under that name; kNotFound with the names that there are, or why it is refused.
  Result<const Found*> find(const std::string& kind, const std::string& name) const;

  // [init] The keys that it declares; loads the library.
  Result<config::Section> section(const std::string& kind, const std::string& name);
  // [init] Complains about every slot and every [plugins.*.*] that is not right: not found, refused, wrong keys.
  void check(const config::Config& config, config::Complaints* complaints);

  // [init] An instance with the values of its section. kInvalid: complaints about the configuration, or the plugin is
  // not fit; otherwise what create said, after the plugin's name.
  Result<std::unique_ptr<StatePlugin>> create_state(Host& host, const config::Config& config);
  Result<std::unique_ptr<SchedulerPlugin>> create_scheduler(Host& host, const config::Config& config,
                                                            const std::string& name);
  Result<std::unique_ptr<RuntimePlugin>> create_runtime(Host& host, const config::Config& config);
  // proxy = "auto": nftables where the kernel has what it needs, else iptables.
  Result<std::unique_ptr<ProxyPlugin>> create_proxy(Host& host, const config::Config& config);
  Result<std::unique_ptr<ProxyPlugin>> create_proxy(Host& host, const config::Config& config, const std::string& name);
  Result<std::unique_ptr<TransportPlugin>> create_transport(Host& host, const config::Config& config,
                                                            const std::string& name);
  // With values of the caller's: for tests and tools.
  Result<Owned> create(Host& host, const std::string& kind, const std::string& name, const MsgValue& values);
  // The same in a process of its own.
  Result<Owned> create_apart(Host& host, const std::string& kind, const std::string& name, const Isolation& isolation,
                             const MsgValue& values);

 private:
  struct Loaded;
  Result<const lotse_factory*> factory(const std::string& kind, const std::string& name);
  Result<Owned> create_checked(Host& host, const config::Config& config, const std::string& kind,
                               const std::string& name);
  Result<Loaded*> load(const Found& found);
  Status initialise(Loaded& loaded, Host& host, const std::string& kind, const std::string& name);

  mutable std::mutex mutex_;
  std::deque<Found> found_;  // never shrinks: others hold pointers
  std::map<std::string, std::unique_ptr<Loaded>> loaded_;  // by path
};

}  // namespace lotse::plugin
