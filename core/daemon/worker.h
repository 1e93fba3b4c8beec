// Worker: a session with a master, the runtime, the agent of this node (or many, hollow), pod network, proxy and DNS.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/image_use.h"
#include "core/daemon/base.h"

namespace lotse::daemon {

class Master;

class Worker {
 public:
  // [main] master: of this process, or null: then the node joins, or goes on as what it has joined.
  static Result<std::unique_ptr<Worker>> start(Base& base, Master* master);
  virtual ~Worker() = default;
  virtual bool connected() const = 0;
  virtual std::string proxy() const = 0;    // the plugin's name, also where the configuration says auto
  virtual std::string runtime() const = 0;  // "containerd 1.6.20"
  // [worker] Imports an image archive; the names that it holds.
  virtual Result<std::vector<std::string>> import_image(const std::string& file) = 0;
  // [worker] The images that the runtime has, and what they are there for.
  virtual Result<std::vector<agent::ImageUse>> images() = 0;
  virtual Status remove_image(const std::string& id) = 0;
  // [worker] Ends all pods of this node and takes the pod network and the service rules out of the kernel; the agent stays stopped.
  virtual Status reset(const std::function<void(const std::string&)>& say) = 0;
  virtual std::vector<const plugin::Owned*> plugins() const = 0;  // the instances of runtime and proxy
  // [any] What an operator must see of a plugin.
  virtual void fault(const std::string& plugin, const std::string& id, const std::string& reason, const std::string& message) = 0;
};

}  // namespace lotse::daemon
