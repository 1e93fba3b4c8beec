// Which protocol a connection goes on with, once the host has said that it may be upgraded.
#pragma once
#include <memory>
#include <variant>

#include "plugins/transport_rest/api_request.h"
#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/exchange.h"
#include "plugins/transport_rest/link.h"

namespace lotse::transport_rest {

struct Upgrade {
  std::string head;  // what to send before the new protocol begins
  std::unique_ptr<Protocol> protocol;
  bool uses_stream = true;  // of the answer itself; port-forward opens others
};

// exec, attach and port-forward: SPDY/3.1 or WebSocket, and the version of the channel protocol, the first of the
// client's list that is spoken here. Refuses what is no upgrade or offers nothing known.
std::variant<Upgrade, Refusal> plan_upgrade(const ApiRequest& request, const Answer& answer, OpenStream open, OpenPort open_port);
// Watch and logs for a client that asked for WebSocket.
std::variant<Upgrade, Refusal> plan_push(const ApiRequest& request, OpenStream open);

}  // namespace lotse::transport_rest
