// SPDX-License-Identifier: Apache-2.0
//
// Reading requests (runtime, proxy): each function takes one key of a map, and throws LOTSE_INVALID with a sentence
// that names it where a key is missing that must be there, or is of another type. Text is UTF-8 without NUL.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lotse/msgpack.hpp"

namespace lotse::sdk {

[[noreturn]] inline void refuse(const std::string& sentence) {
  throw Failure(LOTSE_INVALID, sentence);
}

[[noreturn]] inline void wrong_type(std::string_view key, const char* wanted) {
  refuse("the key \"" + std::string(key) + "\" must be " + wanted);
}

inline bool is_string(const Msg& value) {
  return value.is_text() || value.is_bin();
}

// RFC 3629: no overlong forms, surrogates or anything above U+10FFFF.
inline bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto first = static_cast<uint8_t>(text[i++]);
    if (first < 0x80) continue;
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || text.size() - i < more) return false;
    uint32_t code = first & (0x3fu >> more);
    for (size_t k = 0; k < more; k++) {
      auto next = static_cast<uint8_t>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

// Everything that is text ends up in paths, arguments and labels, where a NUL would cut it short.
inline std::string checked(std::string_view key, const Msg& value) {
  if (!is_string(value)) wrong_type(key, "text");
  std::string text = value.str();
  if (text.find('\0') != std::string::npos || !is_utf8(text)) wrong_type(key, "UTF-8 text without NUL");
  return text;
}

inline std::string get_text(const Msg& request, std::string_view key, std::string_view fallback = {}) {
  const Msg& value = request[key];
  if (value.is_nil()) return std::string(fallback);
  return checked(key, value);
}

// Not empty.
inline std::string need_text(const Msg& request, std::string_view key) {
  std::string value = get_text(request, key);
  if (value.empty()) refuse("the key \"" + std::string(key) + "\" is missing");
  return value;
}

inline int64_t get_int(const Msg& request, std::string_view key, int64_t fallback = 0) {
  const Msg& value = request[key];
  if (value.is_nil()) return fallback;
  if (!value.is_int()) wrong_type(key, "an integer");
  return value.as_int(INT64_MAX);
}

inline int64_t need_int(const Msg& request, std::string_view key, int64_t minimum, int64_t maximum) {
  if (request[key].is_nil()) refuse("the key \"" + std::string(key) + "\" is missing");
  int64_t value = get_int(request, key);
  if (value < minimum || value > maximum) {
    refuse("the key \"" + std::string(key) + "\" must be from " + std::to_string(minimum) + " to " +
           std::to_string(maximum));
  }
  return value;
}

inline bool get_bool(const Msg& request, std::string_view key, bool fallback = false) {
  const Msg& value = request[key];
  if (value.is_nil()) return fallback;
  if (!value.is_bool()) wrong_type(key, "true or false");
  return value.as_bool();
}

// An empty map if it is missing.
inline const Msg& get_map(const Msg& request, std::string_view key) {
  static const Msg none = Msg::map();
  const Msg& value = request[key];
  if (value.is_nil()) return none;
  if (!value.is_map()) wrong_type(key, "a map");
  return value;
}

// An empty array if it is missing.
inline const Msg& get_array(const Msg& request, std::string_view key) {
  static const Msg none = Msg::array();
  const Msg& value = request[key];
  if (value.is_nil()) return none;
  if (!value.is_array()) wrong_type(key, "an array");
  return value;
}

inline std::vector<std::string> get_texts(const Msg& request, std::string_view key) {
  std::vector<std::string> out;
  for (const Msg& item : get_array(request, key).items()) out.push_back(checked(key, item));
  return out;
}

inline std::vector<int64_t> get_ints(const Msg& request, std::string_view key) {
  std::vector<int64_t> out;
  for (const Msg& item : get_array(request, key).items()) {
    if (!item.is_int()) wrong_type(key, "an array of integers");
    out.push_back(item.as_int(INT64_MAX));
  }
  return out;
}

inline std::vector<std::pair<std::string, std::string>> get_text_map(const Msg& request, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, value] : get_map(request, key).members()) {
    out.emplace_back(checked(key, Msg(name)), checked(key, value));
  }
  return out;
}

}  // namespace lotse::sdk
