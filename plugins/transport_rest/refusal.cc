#include "plugins/transport_rest/refusal.h"

#include <cstdio>

#include "plugins/transport_rest/utf8.h"

namespace lotse::transport_rest {

std::string_view reason_of(uint32_t status) {
  switch (status) {
    case 400: case 431: case 417: case 505: return "BadRequest";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "NotFound";
    case 405: return "MethodNotAllowed";
    case 406: return "NotAcceptable";
    case 408: case 504: return "Timeout";
    case 413: return "RequestEntityTooLarge";
    case 415: return "UnsupportedMediaType";
    case 429: return "TooManyRequests";
    case 500: return "InternalError";
    case 503: return "ServiceUnavailable";
    default: return "";
  }
}

void append_json_text(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const unsigned char c = static_cast<unsigned char>(text[0]);
    size_t width = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[0];
    } else if (c < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else if (c < 0x80) {
      out += text[0];
    } else if (width = utf8_width(text); width > 0) {
      out.append(text.substr(0, width));
    } else {
      out += "\xEF\xBF\xBD";
      width = 1;
    }
    text.remove_prefix(width);
  }
}

std::string status_json(const Refusal& refusal) {
  std::string out = R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")";
  append_json_text(out, refusal.message);
  out += '"';
  if (const std::string_view reason = reason_of(refusal.status); !reason.empty()) {
    out.append(",\"reason\":\"").append(reason).append("\"");
  }
  out.append(",\"code\":").append(std::to_string(refusal.status)).append("}\n");
  return out;
}

}  // namespace lotse::transport_rest
