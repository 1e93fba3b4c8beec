// Reload: the configuration read again in the running daemon. All of it is checked before any of it is applied; what can only be applied by a
// restart is named.
#pragma once
#include <functional>
#include <mutex>
#include <string>

#include "core/daemon/base.h"

namespace lotse::daemon {

class Master;
class Worker;

class Reload {
 public:
  using Read = std::function<Result<config::Config>()>;
  // master and worker may be null; they outlive this.
  Reload(Base& base, Read read, Master* master, Worker* worker) : base_(base), read_(std::move(read)), master_(master), worker_(worker), running_(base.config) {}
  // [worker] What was done, in lines; or why nothing was.
  Result<std::string> run();

 private:
  struct Plan;
  void compare_sections(const config::Config& next, Plan* plan) const;
  Status compare_plugins(const config::Config& next, Plan* plan) const;
  bool policies_differ(const config::Config& next) const;
  Status reconfigure(const Plan& plan) const;
  void applied(const config::Config& next);

  Base& base_;
  Read read_;
  Master* master_;
  Worker* worker_;
  std::mutex mutex_;        // one at a time
  config::Config running_;  // what is in force
};

}  // namespace lotse::daemon
