#include "plugins/transport_rest/url.h"

#include "plugins/transport_rest/utf8.h"

namespace lotse::transport_rest {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode(std::string_view text, bool plus_is_space, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex(text[i + 1]), low = hex(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && c == '+' ? ' ' : c;
    }
  }
  return out.find('\0') == std::string::npos && is_utf8(out);
}

bool has_dot_segment(std::string_view path) {
  size_t from = 0;
  while (from <= path.size()) {
    size_t to = path.find('/', from);
    if (to == std::string_view::npos) to = path.size();
    const std::string_view segment = path.substr(from, to - from);
    if (segment == "." || segment == "..") return true;
    from = to + 1;
  }
  return false;
}

std::optional<Refusal> parse_query(std::string_view text, Target& out) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    if (item.find(';') != std::string_view::npos) {
      return Refusal{400, "a semicolon in the query must be escaped as %3B"};
    }
    if (out.query.size() >= kQueryParametersMax) return Refusal{400, "too many query parameters"};
    const size_t equals = item.find('=');
    auto& [name, value] = out.query.emplace_back();
    const std::string_view raw_value = equals == std::string_view::npos ? "" : item.substr(equals + 1);
    if (!decode(item.substr(0, equals), true, name) || !decode(raw_value, true, value)) {
      return Refusal{400, "the query holds a bad escape, a NUL or bytes that are not UTF-8"};
    }
  }
  return std::nullopt;
}

}  // namespace

const std::string* Target::find(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<Refusal> parse_target(std::string_view text, Target& out) {
  out.path.clear();
  out.query.clear();
  // Absolute form, as a client that takes us for a proxy sends it (RFC 9112 3.2.2).
  if (text.starts_with("http://") || text.starts_with("https://")) {
    const size_t slash = text.find('/', text.find("://") + 3);
    text = slash == std::string_view::npos ? "/" : text.substr(slash);
  }
  if (text.empty() || text[0] != '/') return Refusal{400, "the request target must be a path"};
  const size_t question = text.find('?');
  if (!decode(text.substr(0, question), false, out.path)) {
    return Refusal{400, "the path holds a bad escape, a NUL or bytes that are not UTF-8"};
  }
  if (has_dot_segment(out.path)) return Refusal{400, "the path holds a segment \".\" or \"..\""};
  if (question == std::string_view::npos) return std::nullopt;
  return parse_query(text.substr(question + 1), out);
}

}  // namespace lotse::transport_rest
