// What [plugins.transport.rest] says.
#pragma once
#include <lotse/plugin.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "plugins/transport_rest/http_request.h"
#include "plugins/transport_rest/link.h"

namespace lotse::transport_rest {

struct Settings {
  static std::vector<lotse_key> keys();
  explicit Settings(const sdk::Config& config);

  std::vector<std::string> listen;
  int threads = 1;
  int64_t connections_max = 0;
  HttpLimits limits;
  std::chrono::nanoseconds handshake_timeout, header_timeout, body_timeout, idle_timeout, stall_timeout, connection_age;
  std::chrono::nanoseconds limit_of(Wait wait) const;
};

}  // namespace lotse::transport_rest
