#include "plugins/transport_rest/http_response.h"

#include <cstdio>
#include <ctime>

#include "plugins/transport_rest/http_request.h"

namespace lotse::transport_rest {
namespace {

// "Date: ...\r\n", made anew once a second.
std::string_view date_line() {
  thread_local time_t made = -1;
  thread_local char line[64];
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made) {
    made = now.tv_sec;
    static const char* const kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char* const kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    tm t;
    gmtime_r(&made, &t);
    std::snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", kDays[t.tm_wday], t.tm_mday,
                  kMonths[t.tm_mon], (t.tm_year + 1900) % 10000, t.tm_hour, t.tm_min, t.tm_sec);
  }
  return line;
}

bool is_clean(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos; }

// What the transport says itself.
bool is_ours(std::string_view name) {
  return same_ignoring_case(name, "Content-Length") || same_ignoring_case(name, "Transfer-Encoding") ||
         same_ignoring_case(name, "Date") || same_ignoring_case(name, "Content-Type");
}

}  // namespace

std::string_view status_text(uint32_t status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Request Entity Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Status";
  }
}

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (same_ignoring_case(key, name)) return &value;
  }
  return nullptr;
}

std::string make_head(const ResponseHead& head) {
  std::string out;
  out.reserve(256);
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ").append(status_text(head.status)).append("\r\n");
  out.append(date_line());
  if (!head.content_type.empty() && is_clean(head.content_type)) {
    out.append("Content-Type: ").append(head.content_type).append("\r\n");
  }
  if (head.headers) {
    for (const auto& [name, value] : *head.headers) {
      if (is_ours(name) || !is_clean(name) || !is_clean(value)) continue;
      out.append(name).append(": ").append(value).append("\r\n");
    }
  }
  if (head.gzip) out.append("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
  if (head.length == Length::kKnown) out.append("Content-Length: ").append(std::to_string(head.content_length)).append("\r\n");
  if (head.length == Length::kChunked) out.append("Transfer-Encoding: chunked\r\n");
  if (head.close) {
    out.append("Connection: close\r\n");
  } else if (!head.http11 && head.length != Length::kNone) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  return out;
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  char size[24];
  const int n = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  out.append(size, static_cast<size_t>(n)).append(data).append("\r\n");
}

}  // namespace lotse::transport_rest
