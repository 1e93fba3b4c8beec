// The opener's side of a lotse_stream, brought to the connection's thread: what the producer says from wherever is queued
// (bounded, as it sends no more than it was granted) and handed on in order.
#pragma once
#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/door.h"

namespace lotse::transport_rest {

// Opens the stream of an answer. Where the host refuses, on_end follows with its code.
std::unique_ptr<ByteStream> open_host_stream(const Door& door, uint64_t stream_id, StreamUser& user);

}  // namespace lotse::transport_rest
