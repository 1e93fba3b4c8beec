// The messages of the protocol (README.md): one MessagePack map, and bytes that belong to it. No socket here.
#pragma once
#include <lotse/abi/transport.h>
#include <lotse/msgpack.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/transport_rest/exchange.h"

namespace lotse::transport_zmq {

enum class Op { kRequest, kGrant, kWrite, kHalfClose, kResize, kCancel };

// What a client says.
struct ClientMessage {
  Op op = Op::kRequest;
  int64_t id = 0;
  sdk::Msg map;
  std::string body;
};

// Throws sdk::Failure with what is wrong.
ClientMessage read_message(std::string_view head, std::string body);

// Calls fn with the request as the ABI has it. Throws sdk::Failure where the message makes no request.
void hand_over(ClientMessage& message, const std::string& remote_address, const std::function<void(const lotse_api_request&)>& fn);

std::string response_head(int64_t id, const transport_rest::Answer& answer);
std::string item_head(int64_t id, uint32_t channel);
std::string writable_head(int64_t id, uint64_t bytes);
std::string end_head(int64_t id, int32_t code, std::string_view payload);
std::string error_head(std::optional<int64_t> id, std::string_view sentence);
std::string ping_head();

}  // namespace lotse::transport_zmq
