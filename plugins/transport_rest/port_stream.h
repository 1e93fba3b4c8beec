// One forwarded connection: a request of its own to the host, then its stream. To its user it is a stream from the start.
#pragma once
#include "plugins/transport_rest/api_request.h"
#include "plugins/transport_rest/byte_stream.h"

namespace lotse::transport_rest {

std::unique_ptr<ByteStream> open_port(const Door& door, const std::shared_ptr<ApiRequest>& request, const Peer& peer, uint16_t port,
                                      StreamUser& user);

}  // namespace lotse::transport_rest
