// An HTTP request in the terms of the API, ready to be handed to the host, once or (port-forward) several times.
#pragma once
#include <lotse/abi/transport.h>

#include <functional>
#include <memory>
#include <optional>

#include "plugins/transport_rest/door.h"
#include "plugins/transport_rest/http_request.h"
#include "plugins/transport_rest/request_info.h"
#include "plugins/transport_rest/url.h"

namespace lotse::transport_rest {

struct ApiRequest {
  HttpRequest http;
  Target target;
  RequestInfo info;   // views into target
  std::string token;  // of a WebSocket's subprotocols; the header's is read in place

  // REQUIRES: the request stays where it is from now on.
  std::optional<Refusal> understand();
  // Calls fn with the request as the ABI has it. `port` replaces the options "ports"; the body is handed over with the
  // first call.
  void hand_over(const Peer& peer, std::optional<uint16_t> port, const std::function<void(const lotse_api_request&)>& fn);
};

}  // namespace lotse::transport_rest
