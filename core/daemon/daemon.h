// The daemon as a whole: what main() starts and ends, and what the operator's command asks of it.
#pragma once
#include <memory>
#include <string>

#include "core/config/config.h"

namespace lotse::daemon {

class Daemon {
 public:
  // [main] Returns when the daemon is ready to serve.
  static Result<std::unique_ptr<Daemon>> start(config::Config config);
  virtual ~Daemon() = default;
};

}  // namespace lotse::daemon
