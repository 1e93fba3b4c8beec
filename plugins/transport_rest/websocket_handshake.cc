#include <openssl/evp.h>

#include "plugins/transport_rest/websocket.h"

namespace lotse::transport_rest {
namespace {

constexpr std::string_view kTokenPrefix = "base64url.bearer.authorization.k8s.io.";

std::string base64(const unsigned char* bytes, size_t size) {
  std::string out((size + 2) / 3 * 4, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
  return out;
}

// base64url without padding, as the token is written.
std::optional<std::string> base64url_decode(std::string_view text) {
  std::string padded(text);
  for (char& c : padded) c = c == '-' ? '+' : c == '_' ? '/' : c;
  const size_t padding = (4 - padded.size() % 4) % 4;
  if (padding == 3 || text.find('=') != std::string_view::npos) return std::nullopt;
  padded.append(padding, '=');
  std::string out(padded.size() / 4 * 3, '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(padded.data()),
                                static_cast<int>(padded.size()));
  if (n < 0) return std::nullopt;
  out.resize(static_cast<size_t>(n) - padding);
  return out;
}

}  // namespace

bool asks_for_websocket(const HttpRequest& request) {
  return request.list_has("Connection", "upgrade") && request.list_has("Upgrade", "websocket");
}

std::optional<Refusal> check_websocket(const HttpRequest& request) {
  if (request.method != "GET") return Refusal{400, "a WebSocket is opened with GET"};
  if (request.header("Sec-WebSocket-Version") != "13") return Refusal{400, "only version 13 of WebSocket is spoken here"};
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (key.size() != 24 || !key.ends_with("==")) return Refusal{400, "Sec-WebSocket-Key is missing or malformed"};
  return std::nullopt;
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  return base64(digest, size);
}

std::optional<Subprotocols> websocket_subprotocols(const HttpRequest& request) {
  Subprotocols out;
  for (size_t i = 0; i < request.header_count(); ++i) {
    if (!same_ignoring_case(request.header_name(i), "Sec-WebSocket-Protocol")) continue;
    std::string_view list = request.header_value(i), item;
    while (next_in_list(list, item)) {
      if (!item.starts_with(kTokenPrefix)) {
        if (!item.empty()) out.names.emplace_back(item);
        continue;
      }
      auto token = base64url_decode(item.substr(kTokenPrefix.size()));
      if (!token || !out.token.empty() || token->empty()) return std::nullopt;
      out.token = std::move(*token);
    }
  }
  return out;
}

}  // namespace lotse::transport_rest
