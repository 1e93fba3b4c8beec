#include "plugins/transport_rest/api_request.h"

#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {
namespace {

lotse_bytes raw(std::string_view text) { return {text.data(), text.size()}; }

bool starts_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && same_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string_view bearer(const HttpRequest& http) {
  std::string_view value = http.header("Authorization");
  if (!starts_ignoring_case(value, "Bearer ")) return {};
  value.remove_prefix(7);
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  return value;
}

// What a proxied request does not carry on: what belongs to this hop, and the secret that is for us alone.
bool stays_here(std::string_view name, bool upgrades) {
  for (std::string_view hop : {"Authorization", "Content-Length", "Transfer-Encoding", "Expect", "Keep-Alive", "TE", "Trailer",
                               "Proxy-Authorization", "Proxy-Connection", "Proxy-Authenticate"}) {
    if (same_ignoring_case(name, hop)) return true;
  }
  return !upgrades && (same_ignoring_case(name, "Connection") || same_ignoring_case(name, "Upgrade"));
}

lotse_owned owned(std::string body) {
  if (body.empty()) return {};
  auto* kept = new std::string(std::move(body));
  return {kept->data(), kept->size(), [](void* ctx) { delete static_cast<std::string*>(ctx); }, kept};
}

}  // namespace

std::optional<Refusal> ApiRequest::understand() {
  if (auto refusal = parse_target(http.target, target)) return refusal;
  if (auto refusal = request_info(http.method, target, info)) return refusal;
  if (http.count("Sec-WebSocket-Protocol") > 0) {
    auto offered = websocket_subprotocols(http);
    if (!offered) return Refusal{400, "malformed bearer token among the WebSocket subprotocols"};
    token = std::move(offered->token);
  }
  return std::nullopt;
}

void ApiRequest::hand_over(const Peer& peer, std::optional<uint16_t> port, const std::function<void(const lotse_api_request&)>& fn) {
  std::vector<lotse_pair> options, headers;
  options.reserve(target.query.size() + 1);
  const std::string port_text = port ? std::to_string(*port) : "";
  if (port) options.push_back({raw("ports"), raw(port_text)});
  for (const auto& [name, value] : target.query) {
    if (!port || name != "ports") options.push_back({raw(name), raw(value)});
  }
  const bool proxied = info.verb == LOTSE_VERB_CONNECT && info.subresource == "proxy";
  const bool upgrades = proxied && http.list_has("Connection", "upgrade");
  for (size_t i = 0; i < http.header_count(); ++i) {
    const std::string_view name = http.header_name(i);
    if (proxied ? !stays_here(name, upgrades) : same_ignoring_case(name, "If-None-Match") || starts_ignoring_case(name, "Impersonate-")) {
      headers.push_back({raw(name), raw(http.header_value(i))});
    }
  }
  std::vector<lotse_bytes> certificates;
  for (const auto& certificate : peer.certificates) certificates.push_back(raw(certificate));
  const std::string_view from_header = bearer(http);

  lotse_api_request out{};
  out.size = sizeof out;
  out.verb = info.verb;
  out.group = raw(info.group);
  out.version = raw(info.version);
  out.resource = raw(info.resource);
  out.ns = raw(info.ns);
  out.name = raw(info.name);
  out.subresource = raw(info.subresource);
  out.path = raw(info.path);
  out.method = raw(http.method);
  out.options = options.data();
  out.option_count = options.size();
  out.content_type = raw(http.header("Content-Type"));
  out.accept = raw(http.header("Accept"));
  out.user_agent = raw(http.header("User-Agent"));
  out.token = raw(from_header.empty() ? std::string_view(token) : from_header);
  out.certificates = certificates.data();
  out.certificate_count = certificates.size();
  out.headers = headers.data();
  out.header_count = headers.size();
  out.remote_address = raw(peer.address);
  out.body = owned(std::move(http.body));
  http.body.clear();
  fn(out);
}

}  // namespace lotse::transport_rest
