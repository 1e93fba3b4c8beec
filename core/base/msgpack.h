// MessagePack as a value: what crosses the bus, the plugin ABI and the control socket. MsgValue is a tree for messages
// that are looked into; MsgWriter appends to a string for those that are only sent. msgpack-cxx stays in the .cc file.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"

namespace lotse {

struct MsgLimits {
  size_t depth_max = 32;
  size_t bytes_max = 64 * 1024 * 1024;
  size_t values_max = 1'000'000;  // a value takes 48 bytes of memory and may take one byte of input
};

class MsgValue {
 public:
  struct Bin {
    std::string bytes;
    bool operator==(const Bin&) const = default;
  };
  using Array = std::vector<MsgValue>;
  using Member = std::pair<std::string, MsgValue>;
  using Map = std::vector<Member>;  // in the order of writing; of two with one key the first counts

  MsgValue() = default;  // nil
  MsgValue(bool v) : value_(v) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  MsgValue(T v) {
    if (std::is_signed_v<T> || uint64_t(v) <= uint64_t(INT64_MAX))
      value_ = int64_t(v);
    else
      value_ = uint64_t(v);
  }
  MsgValue(double v) : value_(v) {}
  MsgValue(std::string_view v) : value_(std::string(v)) {}
  MsgValue(const char* v) : value_(std::string(v)) {}
  MsgValue(std::string v) : value_(std::move(v)) {}
  MsgValue(Array v) : value_(std::move(v)) {}
  static MsgValue bin(std::string_view bytes) {
    MsgValue v;
    v.value_ = Bin{std::string(bytes)};
    return v;
  }
  static MsgValue map(std::initializer_list<Member> members = {}) {
    MsgValue v;
    v.value_ = Map(members);
    return v;
  }
  static MsgValue array(std::initializer_list<MsgValue> items = {}) { return MsgValue(Array(items)); }
  static MsgValue strings(const std::vector<std::string>& texts) { return MsgValue(Array(texts.begin(), texts.end())); }

  bool is_nil() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_bin() const { return std::holds_alternative<Bin>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_map() const { return std::holds_alternative<Map>(value_); }

  // The value, or the fallback where it is of another type. Text and binary are taken for each other; integers out of
  // int64's range (or below 0 for as_uint) are the fallback.
  bool as_bool(bool fallback = false) const;
  int64_t as_int(int64_t fallback = 0) const;
  uint64_t as_uint(uint64_t fallback = 0) const;
  double as_double(double fallback = 0) const;
  std::string_view as_text(std::string_view fallback = {}) const;
  const Array& items() const;                   // of an array, else none
  const Map& members() const;                   // of a map, else none
  std::vector<std::string> as_strings() const;  // the texts of an array
  // A map's member, or nil.
  const MsgValue& operator[](std::string_view key) const;
  bool has(std::string_view key) const;
  // Makes a map or array of nil first. set replaces.
  void set(std::string_view key, MsgValue value);
  void push(MsgValue value);
  // Adds without looking whether the key is there. REQUIRES: is_map()
  void append(std::string key, MsgValue value);

  std::string encode() const;
  void encode_to(std::string* out) const;
  // One value and nothing after it; kBadRequest in a sentence otherwise. Map keys must be text.
  static Result<MsgValue> parse(std::string_view bytes, const MsgLimits& limits = {});
  // The same from the front of bytes; *used is how many it took.
  static Result<MsgValue> parse_front(std::string_view bytes, size_t* used, const MsgLimits& limits = {});
  bool operator==(const MsgValue&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Bin, Array, Map> value_;
};

// REQUIRES: as many values after map(n) and array(n) as were announced.
class MsgWriter {
 public:
  explicit MsgWriter(std::string* out) : out_(out) {}
  MsgWriter& map(uint32_t members);
  MsgWriter& array(uint32_t items);
  MsgWriter& str(std::string_view text);
  MsgWriter& bin(std::string_view bytes);
  MsgWriter& integer(int64_t value);
  MsgWriter& uinteger(uint64_t value);
  MsgWriter& real(double value);
  MsgWriter& boolean(bool value);
  MsgWriter& nil();
  MsgWriter& value(const MsgValue& value);
  // A member of a map: its key and value.
  MsgWriter& member(std::string_view key, const MsgValue& v) { return str(key).value(v); }

 private:
  std::string* out_;
};

}  // namespace lotse
