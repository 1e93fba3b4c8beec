// The daemon as a whole: what main() starts and ends, and what the operator's command asks of it.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/config/config.h"

namespace lotse::daemon {

class Daemon {
 public:
  // [main] Returns when the daemon is ready to serve. `read` reads the configuration again.
  static Result<std::unique_ptr<Daemon>> start(config::Config config, std::function<Result<config::Config>()> read);
  virtual ~Daemon() = default;
  // [main] Reads the configuration again and applies what can be applied: what was done, in lines, or why nothing was.
  virtual Result<std::string> reload() = 0;
};

}  // namespace lotse::daemon
