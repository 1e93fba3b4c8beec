// SPDX-License-Identifier: Apache-2.0
//
// MessagePack for plugins, without a library: Msg is a tree for requests, answers and configuration. Reading is
// bounded in depth and in the number of values, and believes no length that the bytes do not bear out.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "lotse/error.hpp"

namespace lotse::sdk {

class Msg {
 public:
  struct Bin {
    std::string bytes;
    bool operator==(const Bin& o) const { return bytes == o.bytes; }
  };
  using Array = std::vector<Msg>;
  using Member = std::pair<std::string, Msg>;
  using Map = std::vector<Member>;  // in order; of two with one key the first counts

  Msg() = default;  // nil
  Msg(bool v) : value_(v) {}
  template <class T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  Msg(T v) {
    if (std::is_signed_v<T> || uint64_t(v) <= uint64_t(INT64_MAX))
      value_ = int64_t(v);
    else
      value_ = uint64_t(v);
  }
  Msg(double v) : value_(v) {}
  Msg(std::string_view v) : value_(std::string(v)) {}
  Msg(const char* v) : value_(std::string(v)) {}
  Msg(std::string v) : value_(std::move(v)) {}
  Msg(Array v) : value_(std::move(v)) {}
  static Msg bin(std::string_view bytes) {
    Msg m;
    m.value_ = Bin{std::string(bytes)};
    return m;
  }
  static Msg map(std::initializer_list<Member> members = {}) {
    Msg m;
    m.value_ = Map(members);
    return m;
  }
  static Msg array(std::initializer_list<Msg> items = {}) { return Msg(Array(items)); }
  static Msg strings(const std::vector<std::string>& texts) { return Msg(Array(texts.begin(), texts.end())); }

  bool is_nil() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_); }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_bin() const { return std::holds_alternative<Bin>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_map() const { return std::holds_alternative<Map>(value_); }

  // The value, or the fallback where it is of another type. Text and binary are taken for each other.
  bool as_bool(bool fallback = false) const {
    auto* v = std::get_if<bool>(&value_);
    return v ? *v : fallback;
  }
  int64_t as_int(int64_t fallback = 0) const {
    auto* v = std::get_if<int64_t>(&value_);
    return v ? *v : fallback;
  }
  uint64_t as_uint(uint64_t fallback = 0) const {
    if (auto* v = std::get_if<uint64_t>(&value_)) return *v;
    auto* v = std::get_if<int64_t>(&value_);
    return v && *v >= 0 ? uint64_t(*v) : fallback;
  }
  double as_double(double fallback = 0) const {
    if (auto* v = std::get_if<double>(&value_)) return *v;
    return is_int() ? double(as_int()) : fallback;
  }
  std::string_view as_text(std::string_view fallback = {}) const {
    if (auto* v = std::get_if<std::string>(&value_)) return *v;
    auto* v = std::get_if<Bin>(&value_);
    return v ? std::string_view(v->bytes) : fallback;
  }
  std::string str(std::string_view fallback = {}) const { return std::string(as_text(fallback)); }
  const Array& items() const {
    static const Array none;
    auto* v = std::get_if<Array>(&value_);
    return v ? *v : none;
  }
  const Map& members() const {
    static const Map none;
    auto* v = std::get_if<Map>(&value_);
    return v ? *v : none;
  }
  std::vector<std::string> as_strings() const {
    std::vector<std::string> out;
    for (const Msg& item : items()) out.emplace_back(item.as_text());
    return out;
  }
  // A map's member, or nil.
  const Msg& operator[](std::string_view key) const {
    static const Msg nil;
    for (const Member& member : members()) {
      if (member.first == key) return member.second;
    }
    return nil;
  }
  bool has(std::string_view key) const {
    for (const Member& member : members()) {
      if (member.first == key) return true;
    }
    return false;
  }
  // Both make a map or array of nil first. set replaces.
  Msg& set(std::string_view key, Msg value) {
    if (is_nil()) value_ = Map();
    for (Member& member : std::get<Map>(value_)) {
      if (member.first == key) {
        member.second = std::move(value);
        return *this;
      }
    }
    std::get<Map>(value_).emplace_back(std::string(key), std::move(value));
    return *this;
  }
  Msg& push(Msg value) {
    if (is_nil()) value_ = Array();
    std::get<Array>(value_).push_back(std::move(value));
    return *this;
  }
  bool operator==(const Msg& o) const { return value_ == o.value_; }
  bool operator!=(const Msg& o) const { return !(*this == o); }

  std::string encode() const {
    std::string out;
    encode_to(&out);
    return out;
  }
  inline void encode_to(std::string* out) const;
  // One value and nothing after it. Throws Failure(LOTSE_INVALID).
  static inline Msg parse(std::string_view bytes, size_t depth_max = 32, size_t values_max = 1'000'000);

 private:
  friend class MsgReader;
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Bin, Array, Map> value_;
};

// Appends to a string. REQUIRES: as many values after map(n) and array(n) as were announced.
class MsgWriter {
 public:
  explicit MsgWriter(std::string* out) : out_(out) {}
  MsgWriter& nil() { return byte(0xc0); }
  MsgWriter& boolean(bool v) { return byte(v ? 0xc3 : 0xc2); }
  MsgWriter& uinteger(uint64_t v) {
    if (v < 0x80) return byte(uint8_t(v));
    if (v <= UINT8_MAX) return byte(0xcc).number(v, 1);
    if (v <= UINT16_MAX) return byte(0xcd).number(v, 2);
    if (v <= UINT32_MAX) return byte(0xce).number(v, 4);
    return byte(0xcf).number(v, 8);
  }
  MsgWriter& integer(int64_t v) {
    if (v >= 0) return uinteger(uint64_t(v));
    if (v >= -32) return byte(uint8_t(v));
    if (v >= INT8_MIN) return byte(0xd0).number(uint64_t(v), 1);
    if (v >= INT16_MIN) return byte(0xd1).number(uint64_t(v), 2);
    if (v >= INT32_MIN) return byte(0xd2).number(uint64_t(v), 4);
    return byte(0xd3).number(uint64_t(v), 8);
  }
  MsgWriter& real(double v) {
    uint64_t bits;
    std::memcpy(&bits, &v, 8);
    return byte(0xcb).number(bits, 8);
  }
  MsgWriter& str(std::string_view v) {
    if (v.size() < 32)
      byte(uint8_t(0xa0 | v.size()));
    else
      head(v.size(), 0xd9, 0xda, 0xdb);
    out_->append(v);
    return *this;
  }
  MsgWriter& bin(std::string_view v) {
    head(v.size(), 0xc4, 0xc5, 0xc6);
    out_->append(v);
    return *this;
  }
  MsgWriter& array(size_t items) { return items < 16 ? byte(uint8_t(0x90 | items)) : head(items, 0, 0xdc, 0xdd); }
  MsgWriter& map(size_t members) { return members < 16 ? byte(uint8_t(0x80 | members)) : head(members, 0, 0xde, 0xdf); }
  MsgWriter& value(const Msg& v) {
    v.encode_to(out_);
    return *this;
  }

 private:
  MsgWriter& byte(uint8_t b) {
    out_->push_back(char(b));
    return *this;
  }
  MsgWriter& number(uint64_t v, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) out_->push_back(char(v >> shift & 0xff));
    return *this;
  }
  MsgWriter& head(size_t size, uint8_t small, uint8_t medium, uint8_t large) {
    if (small != 0 && size <= UINT8_MAX) return byte(small).number(size, 1);
    if (size <= UINT16_MAX) return byte(medium).number(size, 2);
    if (size > UINT32_MAX) throw Failure(LOTSE_TOO_LARGE, "a MessagePack value may not have more than 4 GiB");
    return byte(large).number(size, 4);
  }
  std::string* out_;
};

class MsgReader {
 public:
  MsgReader(std::string_view bytes, size_t depth_max, size_t values_max)
      : rest_(bytes), depth_max_(depth_max), values_left_(values_max) {}
  bool at_end() const { return rest_.empty(); }
  Msg read(size_t depth = 0) {
    if (values_left_-- == 0) wrong("too many values");
    uint8_t tag = uint8_t(take(1)[0]);
    if (tag < 0x80) return Msg(int64_t(tag));
    if (tag >= 0xe0) return Msg(int64_t(int8_t(tag)));
    if (tag < 0x90) return map(tag & 15, depth);
    if (tag < 0xa0) return array(tag & 15, depth);
    if (tag < 0xc0) return Msg(take(tag & 31));
    switch (tag) {
      case 0xc0:
        return Msg();
      case 0xc2:
        return Msg(false);
      case 0xc3:
        return Msg(true);
      case 0xc4:
        return Msg::bin(take(number(1)));
      case 0xc5:
        return Msg::bin(take(number(2)));
      case 0xc6:
        return Msg::bin(take(number(4)));
      case 0xca:
        return Msg(double(bits_as<float, uint32_t>(number(4))));
      case 0xcb:
        return Msg(bits_as<double, uint64_t>(number(8)));
      case 0xcc:
        return Msg(number(1));
      case 0xcd:
        return Msg(number(2));
      case 0xce:
        return Msg(number(4));
      case 0xcf:
        return Msg(number(8));
      case 0xd0:
        return Msg(int64_t(int8_t(number(1))));
      case 0xd1:
        return Msg(int64_t(int16_t(number(2))));
      case 0xd2:
        return Msg(int64_t(int32_t(number(4))));
      case 0xd3:
        return Msg(int64_t(number(8)));
      case 0xd9:
        return Msg(take(number(1)));
      case 0xda:
        return Msg(take(number(2)));
      case 0xdb:
        return Msg(take(number(4)));
      case 0xdc:
        return array(number(2), depth);
      case 0xdd:
        return array(number(4), depth);
      case 0xde:
        return map(number(2), depth);
      case 0xdf:
        return map(number(4), depth);
    }
    wrong("a byte that means nothing here");
  }

 private:
  [[noreturn]] static void wrong(const char* what) {
    throw Failure(LOTSE_INVALID, std::string("the MessagePack message holds ") + what);
  }
  template <class To, class From>
  static To bits_as(uint64_t number) {
    From bits = From(number);
    To out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) wrong("less than it announces");
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t number(int width) {
    uint64_t v = 0;
    for (char c : take(uint64_t(width))) v = v << 8 | uint8_t(c);
    return v;
  }
  Msg array(uint64_t count, size_t depth) {
    if (depth >= depth_max_) wrong("too many levels");
    Msg::Array items;
    while (count-- > 0) items.push_back(read(depth + 1));
    return Msg(std::move(items));
  }
  Msg map(uint64_t count, size_t depth) {
    if (depth >= depth_max_) wrong("too many levels");
    Msg::Map members;
    while (count-- > 0) {
      Msg key = read(depth_max_);
      if (!key.is_text() && !key.is_bin()) wrong("a map key that is not text");
      members.emplace_back(key.str(), read(depth + 1));
    }
    Msg out;
    out.value_ = std::move(members);
    return out;
  }
  std::string_view rest_;
  size_t depth_max_, values_left_;
};

inline void Msg::encode_to(std::string* out) const {
  MsgWriter w(out);
  if (auto* b = std::get_if<bool>(&value_))
    w.boolean(*b);
  else if (auto* i = std::get_if<int64_t>(&value_))
    w.integer(*i);
  else if (auto* u = std::get_if<uint64_t>(&value_))
    w.uinteger(*u);
  else if (auto* d = std::get_if<double>(&value_))
    w.real(*d);
  else if (auto* s = std::get_if<std::string>(&value_))
    w.str(*s);
  else if (auto* raw = std::get_if<Bin>(&value_))
    w.bin(raw->bytes);
  else if (is_array()) {
    w.array(items().size());
    for (const Msg& item : items()) item.encode_to(out);
  } else if (is_map()) {
    w.map(members().size());
    for (const Member& member : members()) {
      w.str(member.first);
      member.second.encode_to(out);
    }
  } else {
    w.nil();
  }
}

inline Msg Msg::parse(std::string_view bytes, size_t depth_max, size_t values_max) {
  MsgReader reader(bytes, depth_max, values_max);
  Msg value = reader.read();
  if (!reader.at_end()) throw Failure(LOTSE_INVALID, "the MessagePack message holds more than one value");
  return value;
}

}  // namespace lotse::sdk
