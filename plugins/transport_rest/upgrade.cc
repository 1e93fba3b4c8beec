#include "plugins/transport_rest/upgrade.h"

#include <charconv>

#include "plugins/transport_rest/exit_status.h"
#include "plugins/transport_rest/push_stream.h"
#include "plugins/transport_rest/spdy_command.h"
#include "plugins/transport_rest/spdy_port_forward.h"
#include "plugins/transport_rest/ws_command.h"
#include "plugins/transport_rest/ws_port_forward.h"
#include "plugins/transport_rest/ws_tunnel.h"

namespace lotse::transport_rest {
namespace {

using Plan = std::variant<Upgrade, Refusal>;
constexpr std::string_view kPortForwardProtocol = "portforward.k8s.io";
constexpr std::string_view kTunnelProtocol = "SPDY/3.1+portforward.k8s.io";
constexpr std::string_view kStreamVersionHeader = "X-Stream-Protocol-Version";

bool asks_for_spdy(const HttpRequest& http) { return http.list_has("Connection", "upgrade") && http.list_has("Upgrade", "SPDY/3.1"); }

// What the client speaks, best first; one header with a list and several headers mean the same.
std::vector<std::string> stream_versions(const HttpRequest& http) {
  std::vector<std::string> out;
  for (size_t i = 0; i < http.header_count(); ++i) {
    if (!same_ignoring_case(http.header_name(i), kStreamVersionHeader)) continue;
    std::string_view list = http.header_value(i), item;
    while (next_in_list(list, item)) out.emplace_back(item);
  }
  return out;
}

std::string spdy_head(std::string_view version) {
  std::string head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
  if (!version.empty()) head.append(kStreamVersionHeader).append(": ").append(version).append("\r\n");
  return head.append("\r\n");
}

std::string websocket_head(const HttpRequest& http, std::string_view subprotocol) {
  std::string head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ";
  head.append(websocket_accept(http.header("Sec-WebSocket-Key"))).append("\r\n");
  if (!subprotocol.empty()) head.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n");
  return head.append("\r\n");
}

Refusal nothing_in_common(const std::vector<std::string>& offered) {
  std::string message = "none of the offered protocols is spoken here:";
  for (const auto& name : offered) message.append(" ").append(name.substr(0, 64));
  return Refusal{403, std::move(message)};
}

Plan plan_command(const ApiRequest& request, OpenStream open) {
  CommandChannels channels{is_set(request.target, "stdin"), is_set(request.target, "stdout"), is_set(request.target, "stderr"),
                           is_set(request.target, "tty")};
  if (channels.tty) channels.err = false;  // a terminal has one output
  if (!channels.in && !channels.out && !channels.err) return Refusal{400, "you must specify at least 1 of stdin, stdout, stderr"};
  const bool websocket = asks_for_websocket(request.http);
  std::vector<std::string> offered;
  if (websocket) {
    if (auto refusal = check_websocket(request.http)) return *refusal;
    offered = websocket_subprotocols(request.http)->names;
  } else if (asks_for_spdy(request.http)) {
    offered = stream_versions(request.http);
  } else {
    return Refusal{400, "Upgrade request required"};
  }
  if (offered.empty()) offered.emplace_back();  // says nothing: the oldest version
  for (const auto& name : offered) {
    const auto version = channel_protocol_version(name);
    if (!version || (*version == 5 && !websocket)) continue;
    if (websocket) return Upgrade{websocket_head(request.http, name), std::make_unique<WsCommand>(channels, *version, std::move(open))};
    return Upgrade{spdy_head(name), std::make_unique<SpdyCommand>(channels, *version, std::move(open))};
  }
  return nothing_in_common(offered);
}

std::optional<std::vector<uint16_t>> ports_of(const Target& target) {
  std::vector<uint16_t> ports;
  for (const auto& [name, value] : target.query) {
    if (name != "ports" && name != "port") continue;
    std::string_view list = value, item;
    while (next_in_list(list, item)) {
      uint16_t port = 0;
      const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), port);
      if (error != std::errc() || end != item.data() + item.size() || port == 0) return std::nullopt;
      ports.push_back(port);
    }
  }
  if (ports.empty() || ports.size() > WsPortForward::kPortsMax) return std::nullopt;
  return ports;
}

Plan plan_port_forward(const ApiRequest& request, OpenPort open_port) {
  if (asks_for_spdy(request.http)) {
    const auto offered = stream_versions(request.http);
    const bool known = offered.empty() || std::find(offered.begin(), offered.end(), kPortForwardProtocol) != offered.end();
    if (!known) return nothing_in_common(offered);
    return Upgrade{spdy_head(offered.empty() ? "" : kPortForwardProtocol), std::make_unique<SpdyPortForward>(std::move(open_port)), false};
  }
  if (!asks_for_websocket(request.http)) return Refusal{400, "Upgrade request required"};
  if (auto refusal = check_websocket(request.http)) return *refusal;
  auto offered = websocket_subprotocols(request.http)->names;
  if (offered.empty()) offered.emplace_back();
  for (const auto& name : offered) {
    if (name == kTunnelProtocol) {
      auto inner = std::make_unique<SpdyPortForward>(std::move(open_port));
      return Upgrade{websocket_head(request.http, name), std::make_unique<WsTunnel>(std::move(inner)), false};
    }
    if (!name.empty() && name != "v4.channel.k8s.io") continue;
    auto ports = ports_of(request.target);
    if (!ports) return Refusal{400, "query parameter \"ports\" must name one to 64 ports"};
    return Upgrade{websocket_head(request.http, name), std::make_unique<WsPortForward>(std::move(*ports), std::move(open_port)), false};
  }
  return nothing_in_common(offered);
}

Plan plan_raw(const Answer& answer, OpenStream open) {
  ResponseHead head;
  head.status = answer.status;
  head.headers = &answer.headers;
  head.content_type = answer.content_type;
  head.length = Length::kNone;
  return Upgrade{make_head(head), std::make_unique<RawTunnel>(std::move(open))};
}

}  // namespace

Plan plan_upgrade(const ApiRequest& request, const Answer& answer, OpenStream open, OpenPort open_port) {
  switch (answer.upgrade) {
    case LOTSE_UPGRADE_CHANNELS: return plan_command(request, std::move(open));
    case LOTSE_UPGRADE_PORTFORWARD: return plan_port_forward(request, std::move(open_port));
    case LOTSE_UPGRADE_RAW: return plan_raw(answer, std::move(open));
    default: return Refusal{500, "the host asks for an upgrade that is not known here"};
  }
}

Plan plan_push(const ApiRequest& request, OpenStream open) {
  if (auto refusal = check_websocket(request.http)) return *refusal;
  const auto offered = websocket_subprotocols(request.http)->names;
  const bool binary = std::find(offered.begin(), offered.end(), "binary.k8s.io") != offered.end();
  if (!offered.empty() && !binary) return nothing_in_common(offered);
  const WsOpcode kind = request.info.verb == LOTSE_VERB_WATCH && !binary ? WsOpcode::kText : WsOpcode::kBinary;
  return Upgrade{websocket_head(request.http, binary ? "binary.k8s.io" : ""), std::make_unique<WsPush>(kind, std::move(open))};
}

}  // namespace lotse::transport_rest
