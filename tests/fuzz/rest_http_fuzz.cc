// HTTP requests as hostile bytes: read whole and in pieces, both must come to the same end; then URL and RequestInfo.
#include <cstdlib>

#include "plugins/transport_rest/api_request.h"

using namespace lotse::transport_rest;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  HttpLimits limits;
  limits.header_bytes = 2048;
  limits.body_bytes = 1024;
  RequestParser whole(limits), pieces(limits);
  whole.feed(text);
  std::string inbox;
  for (size_t at = 0; at < text.size() && !pieces.done() && !pieces.refusal(); at += 7) {
    inbox += text.substr(at, 7);
    inbox.erase(0, pieces.feed(inbox));
  }
  if (whole.done() != pieces.done()) std::abort();
  if (!whole.done()) return 0;
  if (whole.request().body != pieces.request().body || whole.request().target != pieces.request().target) std::abort();
  if (whole.request().body.size() > limits.body_bytes) std::abort();
  ApiRequest request;
  request.http = std::move(whole.request());
  if (request.understand()) return 0;
  if (request.target.path.find("/../") != std::string::npos) std::abort();
  request.hand_over({}, std::nullopt, [](const lotse_api_request& raw) {
    if (raw.body.release) raw.body.release(raw.body.ctx);
  });
  return 0;
}
