#include <charconv>

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/object/quantity.h"
#include "core/schema/field_path.h"
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

template <class Int>
bool is_whole(const json::Value& v) {
  const std::string_view text = v.number_text();  // "1.0" is no integer to upstream's decoder either
  Int n;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

bool is_base64(std::string_view text) {
  std::string clean(text), bytes;
  std::erase_if(clean, [](char c) { return c == '\n' || c == '\r'; });
  return unbase64(clean, &bytes);
}

// What was expected, in words; "" if the value fits. Null fits everywhere: it is an absent field.
std::string_view expected(Shape shape, const json::Value& v) {
  switch (shape) {
    case Shape::kString:
      return v.is_string() ? "" : "a string";
    case Shape::kInt32:
      return is_whole<int32_t>(v) ? "" : "a whole number of 32 bits";
    case Shape::kInt64:
      return is_whole<int64_t>(v) ? "" : "a whole number of 64 bits";
    case Shape::kDouble:
      return v.is_number() ? "" : "a number";
    case Shape::kBool:
      return v.is_bool() ? "" : "true or false";
    case Shape::kQuantity:
      return (v.is_string() || v.is_number()) && Quantity::parse(v.is_string() ? v.str() : v.number_text()).ok()
                 ? ""
                 : "a quantity";
    case Shape::kIntOrString:
      return v.is_string() || is_whole<int32_t>(v) ? "" : "a string or a whole number of 32 bits";
    case Shape::kTime:
    case Shape::kMicroTime:
      return v.is_string() && parse_time(v.str()).ok() ? "" : "a time as RFC 3339 has it";
    case Shape::kBytes:
      return v.is_string() && is_base64(v.str()) ? "" : "base64";
    case Shape::kObject:
    case Shape::kMap:
      return v.is_object() ? "" : "an object";
    case Shape::kArray:
      return v.is_array() ? "" : "a list";
    case Shape::kAny:
      return "";
  }
  return "";
}

std::string_view type_name(const json::Value& v) {
  constexpr std::string_view kNames[] = {"null", "a boolean", "a number", "a string", "a list", "an object"};
  return kNames[static_cast<size_t>(v.type())];
}

class Checker {
 public:
  bool object(const TypeInfo& type, const json::Value& value, const FieldPath& path) {
    for (const auto& [name, member] : value.members()) {
      const FieldInfo* field = type.field(name);
      if (field && !one(field->shape(), *field, member, path.child(name))) return false;
    }
    return true;
  }
  std::string wrong;

 private:
  bool one(Shape shape, const FieldInfo& field, const json::Value& v, const FieldPath& path) {
    if (v.is_null()) return true;
    if (const std::string_view want = expected(shape, v); !want.empty()) {
      wrong = path.text() + ": " + std::string(want) + " is expected, not ";
      wrong += v.is_string() || v.is_number() ? json::write(v).substr(0, 100) : std::string(type_name(v));
      return false;
    }
    if (shape == Shape::kObject) return object(*field.type(), v, path);
    size_t i = 0;
    if (shape == Shape::kArray) {
      for (const json::Value& item : v.items()) {
        if (!one(path_item(field), field, item, path.index(i++))) return false;
      }
    }
    if (shape == Shape::kMap) {
      for (const auto& [key, entry] : v.members()) {
        if (!one(field.item_shape(), field, entry, path.key(key))) return false;
      }
    }
    return true;
  }
  // The items of a list that is itself in a map are strings.
  static Shape path_item(const FieldInfo& field) {
    return field.shape() == Shape::kMap ? Shape::kString : field.item_shape();
  }
};

}  // namespace

Status check_types(const ResourceInfo& resource, const json::Value& object) {
  Checker checker;
  if (!object.is_object())
    return Status(Reason::kBadRequest, "an object is expected, not " + std::string(type_name(object)));
  if (checker.object(*resource.type, object, FieldPath())) return {};
  return Status(Reason::kBadRequest, std::string(resource.kind) + " in version \"" + std::string(resource.version) +
                                         "\" cannot be handled as a " + std::string(resource.kind) + ": " +
                                         checker.wrong);
}

}  // namespace lotse::schema
