// Value: the one mutable JSON document type. Objects are kept as canonical text (object.h); a Value exists while
// somebody reads or edits one. Numbers keep their text as received; members are kept in the order of their keys (bytewise), which is
// also the canonical order except for apiVersion, kind and metadata, which are written first at the top.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace lotse::json {

inline constexpr int kDepthMax = 512;

enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

class Value {
 public:
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;  // sorted by key, no key twice

  Value() noexcept { std::memset(raw_, 0, sizeof raw_); }  // null
  Value(std::nullptr_t) noexcept : Value() {}
  Value(bool b) noexcept;
  Value(int v) : Value(static_cast<int64_t>(v)) {}
  Value(int64_t v);
  Value(uint64_t v);
  Value(double v);
  Value(const char* s) : Value(std::string_view(s)) {}
  Value(std::string_view s);
  Value(const std::string& s) : Value(std::string_view(s)) {}
  Value(std::string&& s);
  static Value number(std::string_view text);  // REQUIRES: text is a JSON number
  static Value array(std::vector<Value> items = {});
  static Value object(std::initializer_list<std::pair<std::string_view, Value>> members = {});
  Value(const Value&);
  Value(Value&& o) noexcept { take(&o); }
  Value& operator=(const Value& o) { return *this = Value(o); }
  Value& operator=(Value&& o) noexcept {
    Value old(std::move(*this));  // freed last: o may be a part of it
    take(&o);
    return *this;
  }
  ~Value() {
    if ((tag_ & 7) > static_cast<uint8_t>(Type::kBool)) destroy();
  }

  Type type() const { return static_cast<Type>(tag_ & 7); }
  bool is_null() const { return type() == Type::kNull; }
  bool is_bool() const { return type() == Type::kBool; }
  bool is_number() const { return type() == Type::kNumber; }
  bool is_string() const { return type() == Type::kString; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_object() const { return type() == Type::kObject; }

  // Reading never fails: what is missing or of another type reads as the fallback, so that chains need no checks:
  //   pod["spec"]["nodeName"].str()
  std::string_view str(std::string_view fallback = {}) const;
  bool boolean(bool fallback = false) const;
  int64_t integer(int64_t fallback = 0) const;  // of a number without fraction that fits, else the fallback
  bool is_integer() const;                      // a number that is an int64
  double real(double fallback = 0) const;
  std::string_view number_text() const;
  size_t size() const;                          // of an array or object, else 0
  bool empty() const { return size() == 0; }

  const Value& operator[](std::string_view key) const;  // null if absent or no object
  const Value& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Value* find(std::string_view key) const;        // nullptr if absent or no object
  Value* find(std::string_view key);
  bool has(std::string_view key) const { return find(key) != nullptr; }
  const Value& at(size_t index) const;                  // null if out of range or no array
  const Array& items() const;                           // empty if no array: for (auto& c : v["containers"].items())
  const Object& members() const;                        // empty if no object

  // Writing. A null (or absent) value becomes an object or array on first use; another type is replaced.
  Value& operator[](std::string_view key);
  Value& operator[](const char* key) { return (*this)[std::string_view(key)]; }
  Value& set(std::string_view key, Value value);        // *this, for chains
  bool erase(std::string_view key);
  Value& push(Value value);                             // the new element
  Array& array_items();
  // The members may be edited in place; keys must stay sorted.
  Object& object_members();

  friend bool operator==(const Value& a, const Value& b);  // numbers by value: 1 == 1.0

 private:
  // Sixteen bytes: a short text stands in raw_ itself, all else is a pointer at its start (and a text's length behind
  // it). tag_ is the type in its low three bits, above it a bool's value or an inline text's length.
  static constexpr uint8_t kInlineMax = 14, kHeap = 15;
  Value(Type type, std::string_view text);
  uint8_t extra() const { return tag_ >> 3; }
  void set_text(Type type, std::string_view text);
  std::string_view text() const;
  template <class T> T* pointer() const;
  template <class T> void set_pointer(T* pointer);
  void take(Value* o) noexcept {
    std::memcpy(raw_, o->raw_, sizeof raw_);
    tag_ = o->tag_;
    o->tag_ = 0;
  }
  void destroy() noexcept;
  void copy_from(const Value& other);
  alignas(8) char raw_[15];
  uint8_t tag_ = 0;
};

// Strict RFC 8259, UTF-8 checked, a key given twice takes the last value (as Kubernetes' non-strict decoding does) and is
// reported in duplicates by its path ("spec.replicas") if that is asked for. Fails with kBadRequest and the offset.
Result<Value> parse(std::string_view text, std::vector<std::string>* duplicates = nullptr);
// YAML at the door: one document, limits on aliases, depth and size; plain scalars as sigs.k8s.io/yaml reads them
// (YAML 1.1's yes, no, on, off are booleans, dates are strings). Fails with kBadRequest, line and column.
Result<Value> parse_yaml(std::string_view text);
// Canonical text: no space, keys sorted; at the top apiVersion, kind, metadata first.
std::string write(const Value& value);
Bytes write_bytes(const Value& value);
std::string write_pretty(const Value& value);

int depth(const Value& value);  // 0 for a scalar, 1 for {} and []

// RFC 6902 (JSON patch) and RFC 7386 (merge patch). Errors name the operation: kBadRequest for a patch that is none,
// kInvalid for one that does not fit the document. Copies are limited in depth and size.
Result<Value> apply_json_patch(Value document, const Value& patch);
Value merge_patch(Value target, const Value& patch);

}  // namespace lotse::json
