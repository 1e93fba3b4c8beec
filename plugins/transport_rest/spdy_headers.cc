#include "plugins/transport_rest/spdy_headers.h"

namespace lotse::transport_rest {
namespace {

// SPDY protocol draft 3, 2.6.10.1: words with their lengths before them, then loose text.
constexpr std::string_view kWords[] = {
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding", "accept-language",
    "accept-ranges", "age", "allow", "authorization", "cache-control", "connection", "content-base", "content-encoding",
    "content-language", "content-length", "content-location", "content-md5", "content-range", "content-type", "date",
    "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
    "if-unmodified-since", "last-modified", "location", "max-forwards", "pragma", "proxy-authenticate",
    "proxy-authorization", "range", "referer", "retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade",
    "user-agent", "vary", "via", "warning", "www-authenticate", "method", "get", "status", "200 OK", "version",
    "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"};
constexpr std::string_view kLoose =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

void append32(std::string& out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFF);
}

std::optional<size_t> take32(std::string_view& in) {
  if (in.size() < 4) return std::nullopt;
  size_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(in[i]);
  in.remove_prefix(4);
  return value;
}

std::optional<std::string_view> take_text(std::string_view& in) {
  const auto size = take32(in);
  if (!size || *size > in.size()) return std::nullopt;
  const std::string_view text = in.substr(0, *size);
  in.remove_prefix(*size);
  return text;
}

}  // namespace

std::string_view spdy_dictionary() {
  static const std::string dictionary = [] {
    std::string out;
    for (std::string_view word : kWords) {
      append32(out, word.size());
      out.append(word);
    }
    return out.append(kLoose);
  }();
  return dictionary;
}

SpdyInflater::SpdyInflater() { inflateInit(&z_); }
SpdyInflater::~SpdyInflater() { inflateEnd(&z_); }

bool SpdyInflater::unpack(std::string_view block, std::string& out) {
  const std::string_view words = spdy_dictionary();
  z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
  z_.avail_in = static_cast<uInt>(block.size());
  char buffer[4096];
  for (;;) {
    z_.next_out = reinterpret_cast<Bytef*>(buffer);
    z_.avail_out = sizeof buffer;
    const int result = inflate(&z_, Z_SYNC_FLUSH);
    out.append(buffer, sizeof buffer - z_.avail_out);
    if (out.size() > kSpdyHeaderBytesMax) return false;
    if (result == Z_NEED_DICT) {
      if (inflateSetDictionary(&z_, reinterpret_cast<const Bytef*>(words.data()), static_cast<uInt>(words.size())) != Z_OK) return false;
      continue;
    }
    if (result == Z_BUF_ERROR) return z_.avail_in == 0;
    if (result != Z_OK) return false;  // an end of the zlib stream (Z_STREAM_END) is no block either
    if (z_.avail_in == 0 && z_.avail_out > 0) return true;
  }
}

std::optional<Headers> SpdyInflater::read(std::string_view block) {
  std::string text;
  if (!unpack(block, text)) return std::nullopt;
  std::string_view in = text;
  const auto count = take32(in);
  if (!count || *count > kSpdyHeadersMax) return std::nullopt;
  Headers headers;
  for (size_t i = 0; i < *count; ++i) {
    const auto name = take_text(in);
    const auto values = name ? take_text(in) : std::nullopt;
    if (!values || name->empty()) return std::nullopt;
    std::string lower(*name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    std::string_view rest = *values;
    for (;;) {
      const size_t nul = rest.find('\0');
      headers.emplace_back(lower, std::string(rest.substr(0, nul)));
      if (nul == std::string_view::npos) break;
      rest.remove_prefix(nul + 1);
    }
    if (headers.size() > kSpdyHeadersMax) return std::nullopt;
  }
  if (!in.empty()) return std::nullopt;
  return headers;
}

SpdyDeflater::SpdyDeflater() {
  // A small window: what a server says in header blocks is next to nothing.
  deflateInit2(&z_, 1, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY);
  const std::string_view words = spdy_dictionary();
  deflateSetDictionary(&z_, reinterpret_cast<const Bytef*>(words.data()), static_cast<uInt>(words.size()));
}

SpdyDeflater::~SpdyDeflater() { deflateEnd(&z_); }

std::string SpdyDeflater::write(const Headers& headers) {
  std::string text;
  append32(text, headers.size());
  for (const auto& [name, value] : headers) {
    append32(text, name.size());
    text.append(name);
    append32(text, value.size());
    text.append(value);
  }
  std::string out;
  z_.next_in = reinterpret_cast<Bytef*>(text.data());
  z_.avail_in = static_cast<uInt>(text.size());
  do {
    char buffer[1024];
    z_.next_out = reinterpret_cast<Bytef*>(buffer);
    z_.avail_out = sizeof buffer;
    deflate(&z_, Z_SYNC_FLUSH);
    out.append(buffer, sizeof buffer - z_.avail_out);
  } while (z_.avail_out == 0);
  return out;
}

}  // namespace lotse::transport_rest
