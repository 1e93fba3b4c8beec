#include "core/object/cursor.h"

#include <cstring>

#include "core/object/utf8.h"

namespace lotse {

bool Cursor::fail() {
  failed_ = true;
  at_ = end_;
  return false;
}

bool Cursor::take(char c) {
  if (peek() != c || failed_) return fail();
  ++at_;
  return true;
}

bool Cursor::skip_string() {
  if (!take('"')) return false;
  while (at_ < end_) {
    auto* quote = static_cast<const char*>(std::memchr(at_, '"', static_cast<size_t>(end_ - at_)));
    if (!quote) break;
    const char* backslash = quote;
    while (backslash > at_ && backslash[-1] == '\\') --backslash;
    at_ = quote + 1;
    if ((quote - backslash) % 2 == 0) return true;
  }
  return fail();
}

bool Cursor::next_member(std::string_view* key) {
  if (failed_) return false;
  if (peek() == '}') {
    ++at_;
    return false;
  }
  if (peek() == ',') ++at_;
  const char* start = at_ + 1;
  if (!skip_string()) return false;
  *key = std::string_view(start, static_cast<size_t>(at_ - 1 - start));
  return take(':');
}

bool Cursor::next_item() {
  if (failed_) return false;
  if (peek() == ']') {
    ++at_;
    return false;
  }
  if (peek() == ',') ++at_;
  return at_ < end_ || fail();
}

std::string_view Cursor::raw() {
  const char* start = at_;
  int depth = 0;
  do {
    const char c = peek();
    if (c == '"') {
      if (!skip_string()) return {};
    } else if (c == '{' || c == '[') {
      ++depth, ++at_;
    } else if (c == '}' || c == ']') {
      --depth, ++at_;
    } else if (depth > 0 && (c == ',' || c == ':')) {
      ++at_;
    } else {
      const char* scalar = at_;
      while (at_ < end_ && *at_ != ',' && *at_ != '}' && *at_ != ']') ++at_;
      if (at_ == scalar) {
        fail();
        return {};
      }
    }
  } while (depth > 0 && at_ < end_);
  if (depth != 0) {
    fail();
    return {};
  }
  return {start, static_cast<size_t>(at_ - start)};
}

std::string Cursor::string() {
  const std::string_view text = raw();
  if (text.size() < 2 || text[0] != '"') {
    fail();
    return {};
  }
  return unescape(text);
}

std::string unescape(std::string_view raw) {
  if (raw.size() < 2) return {};
  raw = raw.substr(1, raw.size() - 2);
  std::string out;
  out.reserve(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 == raw.size()) {
      out.push_back(raw[i]);
      continue;
    }
    const char c = raw[++i];
    constexpr std::string_view kFrom = "bfnrt", kTo = "\b\f\n\r\t";
    if (const size_t k = kFrom.find(c); k != kFrom.npos) {
      out.push_back(kTo[k]);
    } else if (c == 'u' && i + 4 < raw.size()) {  // canonical text has \u only for control characters
      append_utf8(static_cast<uint32_t>(std::strtoul(std::string(raw.substr(i + 1, 4)).c_str(), nullptr, 16)), &out);
      i += 4;
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string_view find_raw(std::string_view text, std::string_view path) {
  Cursor at(text);
  for (;;) {
    const size_t dot = std::min(path.find('.'), path.size());
    const std::string_view name = path.substr(0, dot);
    if (at.peek() != '{' || !at.enter_object()) return {};
    bool found = false;
    for (std::string_view key; !found && at.next_member(&key);) {
      found = key == name;
      if (!found) at.skip();
    }
    if (!found || at.failed()) return {};
    if (dot == path.size()) return at.raw();
    path.remove_prefix(dot + 1);
  }
}

}  // namespace lotse
