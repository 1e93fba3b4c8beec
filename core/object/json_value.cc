#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/object/json.h"

namespace lotse::json {
namespace {

const Value kNullValue;
const Value::Array kNoItems;
const Value::Object kNoMembers;

struct ByKey {
  bool operator()(const Value::Member& m, std::string_view key) const { return m.first < key; }
};

bool to_int64(std::string_view text, int64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  if (error == std::errc() && end == text.data() + text.size()) return true;
  if (text.find_first_of(".eE") == std::string_view::npos) return false;
  // "1.0" and "1e3" are whole numbers too; beyond 2^53 a double would not tell.
  const double d = std::strtod(std::string(text).c_str(), nullptr);
  if (!(std::fabs(d) <= 9007199254740992.0) || d != std::floor(d)) return false;
  *out = static_cast<int64_t>(d);
  return true;
}

template <class Number>
std::string number_of(Number n) {
  char buffer[40];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, n);
  return error == std::errc() ? std::string(buffer, end) : std::string("0");
}

bool same_number(std::string_view a, std::string_view b) {
  if (a == b) return true;
  int64_t x, y;
  const bool whole_a = to_int64(a, &x), whole_b = to_int64(b, &y);
  if (whole_a && whole_b) return x == y;
  return std::strtod(std::string(a).c_str(), nullptr) == std::strtod(std::string(b).c_str(), nullptr);
}

}  // namespace

template <class T>
T* Value::pointer() const {
  T* p;
  std::memcpy(&p, raw_, sizeof p);
  return p;
}

template <class T>
void Value::set_pointer(T* p) {
  std::memcpy(raw_, &p, sizeof p);
}

Value::Value(bool b) noexcept : Value() {
  tag_ = static_cast<uint8_t>(Type::kBool) | (b ? 1 << 3 : 0);
}
Value::Value(int64_t v) : Value(Type::kNumber, number_of(v)) {}
Value::Value(uint64_t v) : Value(Type::kNumber, number_of(v)) {}
Value::Value(double v) : Value() {
  if (std::isfinite(v)) set_text(Type::kNumber, number_of(v));
}
Value::Value(std::string_view s) : Value(Type::kString, s) {}
Value::Value(std::string&& s) : Value(Type::kString, std::string_view(s)) {}
Value::Value(Type type, std::string_view text) : Value() {
  set_text(type, text);
}
Value Value::number(std::string_view text) {
  return Value(Type::kNumber, text);
}

Value Value::array(std::vector<Value> items) {
  Value v;
  v.tag_ = static_cast<uint8_t>(Type::kArray);
  if (!items.empty()) v.set_pointer(new Array(std::move(items)));
  return v;
}

Value Value::object(std::initializer_list<std::pair<std::string_view, Value>> members) {
  Value v;
  v.tag_ = static_cast<uint8_t>(Type::kObject);
  for (auto& [key, value] : members) v.set(key, value);
  return v;
}

void Value::set_text(Type type, std::string_view text) {
  if (text.size() <= kInlineMax) {
    if (!text.empty()) std::memcpy(raw_, text.data(), text.size());
    tag_ = static_cast<uint8_t>(static_cast<uint8_t>(type) | text.size() << 3);
    return;
  }
  char* copy = static_cast<char*>(std::malloc(text.size()));
  if (!copy) throw std::bad_alloc();
  std::memcpy(copy, text.data(), text.size());
  set_pointer(copy);
  const auto size = static_cast<uint32_t>(text.size());
  std::memcpy(raw_ + 8, &size, sizeof size);
  tag_ = static_cast<uint8_t>(static_cast<uint8_t>(type) | kHeap << 3);
}

std::string_view Value::text() const {
  if (extra() != kHeap) return {raw_, extra()};
  uint32_t size;
  std::memcpy(&size, raw_ + 8, sizeof size);
  return {pointer<char>(), size};
}

void Value::destroy() noexcept {
  switch (type()) {
    case Type::kString:
    case Type::kNumber:
      if (extra() == kHeap) std::free(pointer<char>());
      break;
    case Type::kArray:
      delete pointer<Array>();
      break;
    case Type::kObject:
      delete pointer<Object>();
      break;
    default:
      break;
  }
}

void Value::copy_from(const Value& o) {
  switch (o.type()) {
    case Type::kString:
    case Type::kNumber:
      set_text(o.type(), o.text());
      return;
    case Type::kArray:
      if (auto* a = o.pointer<Array>()) set_pointer(new Array(*a));
      break;
    case Type::kObject:
      if (auto* m = o.pointer<Object>()) set_pointer(new Object(*m));
      break;
    default:
      break;
  }
  tag_ = o.tag_;
}

Value::Value(const Value& o) : Value() {
  copy_from(o);
}

std::string_view Value::str(std::string_view fallback) const {
  return is_string() ? text() : fallback;
}
bool Value::boolean(bool fallback) const {
  return is_bool() ? extra() != 0 : fallback;
}
std::string_view Value::number_text() const {
  return is_number() ? text() : std::string_view();
}
int64_t Value::integer(int64_t fallback) const {
  int64_t n;
  return is_number() && to_int64(text(), &n) ? n : fallback;
}
bool Value::is_integer() const {
  int64_t n;
  return is_number() && to_int64(text(), &n);
}
double Value::real(double fallback) const {
  return is_number() ? std::strtod(std::string(text()).c_str(), nullptr) : fallback;
}

const Value::Array& Value::items() const {
  return is_array() && pointer<Array>() ? *pointer<Array>() : kNoItems;
}
const Value::Object& Value::members() const {
  return is_object() && pointer<Object>() ? *pointer<Object>() : kNoMembers;
}
size_t Value::size() const {
  return is_array() ? items().size() : members().size();
}
const Value& Value::at(size_t i) const {
  return i < items().size() ? items()[i] : kNullValue;
}

const Value* Value::find(std::string_view key) const {
  const Object& all = members();
  auto it = std::lower_bound(all.begin(), all.end(), key, ByKey());
  return it != all.end() && it->first == key ? &it->second : nullptr;
}
Value* Value::find(std::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->find(key));
}
const Value& Value::operator[](std::string_view key) const {
  const Value* v = find(key);
  return v ? *v : kNullValue;
}

Value::Object& Value::object_members() {
  if (!is_object()) *this = object();
  if (!pointer<Object>()) set_pointer(new Object);
  return *pointer<Object>();
}
Value::Array& Value::array_items() {
  if (!is_array()) *this = array();
  if (!pointer<Array>()) set_pointer(new Array);
  return *pointer<Array>();
}
Value& Value::operator[](std::string_view key) {
  Object& all = object_members();
  auto it = std::lower_bound(all.begin(), all.end(), key, ByKey());
  if (it == all.end() || it->first != key) it = all.insert(it, Member(std::string(key), Value()));
  return it->second;
}
Value& Value::set(std::string_view key, Value value) {
  (*this)[key] = std::move(value);
  return *this;
}
bool Value::erase(std::string_view key) {
  if (!is_object() || !pointer<Object>()) return false;
  Object& all = *pointer<Object>();
  auto it = std::lower_bound(all.begin(), all.end(), key, ByKey());
  if (it == all.end() || it->first != key) return false;
  all.erase(it);
  return true;
}
Value& Value::push(Value value) {
  Array& all = array_items();
  all.push_back(std::move(value));
  return all.back();
}

bool operator==(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  switch (a.type()) {
    case Type::kNull:
      return true;
    case Type::kBool:
      return a.extra() == b.extra();
    case Type::kNumber:
      return same_number(a.text(), b.text());
    case Type::kString:
      return a.text() == b.text();
    case Type::kArray:
      return a.items() == b.items();
    case Type::kObject:
      return a.members() == b.members();
  }
  return false;
}

int depth(const Value& value) {
  if (!value.is_array() && !value.is_object()) return 0;
  int deepest = 0;
  for (const Value& item : value.items()) deepest = std::max(deepest, depth(item));
  for (const auto& [key, member] : value.members()) deepest = std::max(deepest, depth(member));
  return deepest + 1;
}

}  // namespace lotse::json
