#include "core/api/protobuf.h"

#include <map>

#include "core/base/clock.h"
#include "core/base/ids.h"

namespace lotse::api {
namespace {

using json::Value;
using schema::Shape;

constexpr int kDepthMax = 100;
constexpr std::string_view kMagic{"k8s\0", 4};
enum Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Damaged {};  // thrown within this file only

// One message's fields, one after the other.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  bool next() {
    if (in_.empty()) return false;
    const uint64_t tag = varint();
    number = static_cast<uint32_t>(tag >> 3);
    wire = static_cast<uint32_t>(tag & 7);
    text = {};
    integer = 0;
    if (number == 0 || tag >> 35) throw Damaged();
    switch (wire) {
      case kVarint: integer = varint(); break;
      case kFixed64: integer = fixed(8); break;
      case kFixed32: integer = fixed(4); break;
      case kBytes: {
        const uint64_t size = varint();
        if (size > in_.size()) throw Damaged();
        text = in_.substr(0, size);
        in_.remove_prefix(size);
        break;
      }
      default: throw Damaged();
    }
    return true;
  }
  uint32_t number = 0, wire = 0;
  uint64_t integer = 0;
  std::string_view text;

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) throw Damaged();
      const auto byte = static_cast<uint8_t>(in_.front());
      in_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw Damaged();
  }
  uint64_t fixed(size_t n) {
    if (in_.size() < n) throw Damaged();
    uint64_t value = 0;
    for (size_t i = 0; i < n; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(in_[i])) << (8 * i);
    in_.remove_prefix(n);
    return value;
  }
  std::string_view in_;
};

struct Numbered {
  std::string_view name;  // of the field, or of the inlined type
  bool pointer = false, inlined = false;
};
using Numbers = std::map<uint32_t, Numbered>;

Numbers read_numbers(std::string_view line) {
  Numbers numbers;
  uint32_t number = 0;
  for (size_t at = line.find(' '); at != std::string_view::npos && at + 1 < line.size();) {
    const size_t end = line.find(' ', at + 1);
    std::string_view word = line.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    ++number;
    if (const size_t eq = word.find('='); eq != std::string_view::npos) {
      number = static_cast<uint32_t>(std::atoi(std::string(word.substr(eq + 1)).c_str()));
      word = word.substr(0, eq);
    }
    Numbered n;
    n.pointer = word.ends_with('*');
    if (n.pointer) word.remove_suffix(1);
    n.inlined = word.starts_with('+');
    if (n.inlined) word.remove_prefix(1);
    n.name = word;
    numbers.emplace(number, n);
    at = end;
  }
  return numbers;
}

const Numbers* numbers_of(std::string_view type) {
  static const auto table = [] {
    std::map<std::string_view, Numbers> t;
    for (size_t i = 0; i < kProtobufFieldsCount; ++i) {
      const std::string_view line = kProtobufFields[i];
      t.emplace(line.substr(0, line.find(' ')), read_numbers(line));
    }
    return t;
  }();
  const auto it = table.find(type);
  return it == table.end() ? nullptr : &it->second;
}

// "io.k8s.api.core.v1.PodSpec" -> "core.PodSpec"
std::string short_name(std::string_view type) {
  const size_t name = type.rfind('.'), version = type.rfind('.', name - 1), package = type.rfind('.', version - 1);
  if (name == std::string_view::npos || version == std::string_view::npos || package == std::string_view::npos) return std::string(type);
  return std::string(type.substr(package + 1, version - package - 1)) + std::string(type.substr(name));
}

Value time_of(std::string_view text, bool micro) {
  int64_t seconds = 0, nanos = 0;
  for (Reader r(text); r.next();) {
    if (r.number == 1) seconds = static_cast<int64_t>(r.integer);
    if (r.number == 2) nanos = static_cast<int64_t>(r.integer);
  }
  constexpr int64_t kYearMax = 253402300799;  // 9999
  if (text.empty() || seconds > kYearMax || seconds < 0) return {};
  const WallTime time(std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanos % 1'000'000'000));
  return micro ? format_micro_time(time) : format_time(time);
}

Value text_of_first(std::string_view message) {
  for (Reader r(message); r.next();) {
    if (r.number == 1 && r.wire == kBytes) return r.text;
  }
  return {};
}

Value int_or_string(std::string_view message, bool pointer) {
  int64_t type = 0, integer = 0;
  std::string_view text;
  for (Reader r(message); r.next();) {
    if (r.number == 1) type = static_cast<int64_t>(r.integer);
    if (r.number == 2) integer = static_cast<int32_t>(r.integer);
    if (r.number == 3) text = r.text;
  }
  if (type == 1) return text.empty() && !pointer ? Value() : Value(text);
  return integer == 0 && !pointer ? Value() : Value(integer);
}

// RawExtension and FieldsV1: JSON within.
Value raw_json(std::string_view message) {
  const Value raw = text_of_first(message);
  if (!raw.is_string() || raw.str().empty()) return {};
  auto value = json::parse(raw.str());
  if (!value.ok()) throw Damaged();
  return *std::move(value);
}

void read_message(std::string_view text, const Numbers& numbers, const schema::TypeInfo& type, int depth, Value* out);

Value read_object(std::string_view text, const schema::TypeInfo* type, int depth) {
  Value out = Value::object();
  const Numbers* numbers = type ? numbers_of(short_name(type->name())) : nullptr;
  if (!numbers) return raw_json(text);
  read_message(text, *numbers, *type, depth + 1, &out);
  return out;
}

// Null: as good as absent.
Value read_value(const Reader& r, Shape shape, const schema::TypeInfo* type, bool pointer, int depth) {
  const auto want = [&](uint32_t wire) {
    if (r.wire != wire) throw Damaged();
  };
  switch (shape) {
    case Shape::kInt32:
    case Shape::kInt64: want(kVarint); return r.integer == 0 && !pointer ? Value() : Value(static_cast<int64_t>(r.integer));
    case Shape::kBool: want(kVarint); return r.integer == 0 && !pointer ? Value() : Value(r.integer != 0);
    case Shape::kDouble: {
      want(kFixed64);
      double d = 0;
      std::memcpy(&d, &r.integer, sizeof(d));
      return d;
    }
    default: want(kBytes);
  }
  switch (shape) {
    case Shape::kString: return r.text.empty() && !pointer ? Value() : Value(r.text);
    case Shape::kBytes: return base64(r.text);
    case Shape::kQuantity: return text_of_first(r.text);
    case Shape::kIntOrString: return int_or_string(r.text, pointer);
    case Shape::kTime: return time_of(r.text, false);
    case Shape::kMicroTime: return time_of(r.text, true);
    case Shape::kObject: return read_object(r.text, type, depth);
    default: return raw_json(r.text);
  }
}

// An entry of a map: 1 the key, 2 the value. Lists as values (ExtraValue) are a message around them.
void read_entry(std::string_view text, const schema::FieldInfo& field, int depth, Value* map) {
  std::string_view key;
  Value value;
  for (Reader r(text); r.next();) {
    if (r.number == 1) key = r.text;
    if (r.number != 2) continue;
    if (field.item_shape() == Shape::kArray) {
      value = Value::array();
      for (Reader items(r.text); items.next();) value.push(items.text);
    } else {
      value = read_value(r, field.item_shape(), field.type(), true, depth);
    }
  }
  if (value.is_null()) {
    if (field.item_shape() == Shape::kString) value = "";
    if (field.item_shape() == Shape::kArray) value = Value::array();
  }
  map->set(key, std::move(value));
}

void read_items(const Reader& r, const schema::FieldInfo& field, int depth, Value* list) {
  if (!list->is_array()) *list = Value::array();
  const bool number = field.item_shape() == Shape::kInt32 || field.item_shape() == Shape::kInt64;
  if (!number || r.wire != kBytes) {
    list->push(read_value(r, field.item_shape(), field.type(), true, depth));
    return;
  }
  std::string packed;  // many numbers in one field
  for (const char c : r.text) {
    packed.push_back(c);
    if (static_cast<uint8_t>(c) >= 0x80) continue;
    const std::string one = "\x08" + std::exchange(packed, {});
    Reader item(one);
    item.next();
    list->push(static_cast<int64_t>(item.integer));
  }
}

void read_message(std::string_view text, const Numbers& numbers, const schema::TypeInfo& type, int depth, Value* out) {
  if (depth > kDepthMax) throw Damaged();
  for (Reader r(text); r.next();) {
    const auto known = numbers.find(r.number);
    if (known == numbers.end()) continue;  // newer than we are
    const Numbered& n = known->second;
    if (n.inlined) {
      if (const Numbers* inner = numbers_of(n.name); inner && r.wire == kBytes) read_message(r.text, *inner, type, depth + 1, out);
      continue;
    }
    const schema::FieldInfo* field = type.field(n.name);
    if (!field) continue;
    if (field->shape() == Shape::kMap) {
      if (r.wire != kBytes) throw Damaged();
      Value& map = (*out)[n.name];
      if (!map.is_object()) map = Value::object();
      read_entry(r.text, *field, depth, &map);
    } else if (field->shape() == Shape::kArray) {
      read_items(r, *field, depth, &(*out)[n.name]);
    } else if (Value v = read_value(r, field->shape(), field->type(), n.pointer, depth); !v.is_null()) {
      out->set(n.name, std::move(v));
    }
  }
}

struct Envelope {
  std::string version, kind;
  std::string_view raw;
};

Envelope open_envelope(std::string_view body) {
  if (!body.starts_with(kMagic)) throw Damaged();
  Envelope e;
  for (Reader r(body.substr(kMagic.size())); r.next();) {
    if (r.number == 2) e.raw = r.text;
    if (r.number != 1) continue;
    for (Reader meta(r.text); meta.next();) {
      if (meta.number == 1) e.version = meta.text;
      if (meta.number == 2) e.kind = meta.text;
    }
  }
  return e;
}

}  // namespace

Result<Value> decode_protobuf(std::string_view body, std::string_view expected_version, std::string_view expected_kind) {
  try {
    Envelope e = open_envelope(body);
    if (e.version.empty()) e.version = expected_version;
    if (e.kind.empty()) e.kind = expected_kind;
    const schema::TypeInfo* type = nullptr;
    if (const auto* kind = schema::find_kind(e.version, e.kind)) type = kind->type;
    if (!type && e.kind == "DeleteOptions") type = schema::find_type("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
    if (!type || !numbers_of(short_name(type->name()))) {
      return Status(Reason::kUnsupportedMediaType, "a " + e.kind + " of " + e.version + " cannot be read as protobuf; send JSON");
    }
    Value out = read_object(e.raw, type, 0);
    out.set("apiVersion", e.version).set("kind", e.kind);
    return out;
  } catch (const Damaged&) {
    return Status(Reason::kBadRequest, "the body of the request is not what Kubernetes writes as protobuf");
  }
}

}  // namespace lotse::api
