#include "plugins/transport_rest/utf8.h"

namespace lotse::transport_rest {
namespace {

bool in(char c, unsigned low, unsigned high) {
  const auto u = static_cast<unsigned char>(c);
  return u >= low && u <= high;
}

bool tail(std::string_view text, size_t from, size_t to) {
  if (text.size() < to) return false;
  for (size_t i = from; i < to; ++i) {
    if (!in(text[i], 0x80, 0xBF)) return false;
  }
  return true;
}

}  // namespace

size_t utf8_width(std::string_view text) {
  const auto c = static_cast<unsigned char>(text[0]);
  if (c < 0x80) return 1;
  if (c < 0xC2 || c > 0xF4) return 0;
  if (c < 0xE0) return tail(text, 1, 2) ? 2 : 0;
  if (text.size() < 2) return 0;
  if (c < 0xF0) {
    if (!in(text[1], c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF)) return 0;
    return tail(text, 2, 3) ? 3 : 0;
  }
  if (!in(text[1], c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF)) return 0;
  return tail(text, 2, 4) ? 4 : 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t width = utf8_width(text);
    if (width == 0) return false;
    text.remove_prefix(width);
  }
  return true;
}

}  // namespace lotse::transport_rest
