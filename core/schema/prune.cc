#include "core/schema/field_path.h"
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

constexpr size_t kUnknownMax = 100;  // paths told; upstream tells as many warnings

class Pruner {
 public:
  explicit Pruner(std::vector<std::string>* unknown) : unknown_(unknown) {}

  void object(const TypeInfo& type, json::Value* value, const FieldPath& path) {
    if (!value->is_object() || value->empty()) return;
    auto& members = value->object_members();
    std::erase_if(members, [&](auto& member) {
      const FieldPath at = path.child(member.first);
      const FieldInfo* field = type.field(member.first);
      if (!field) {
        if (unknown_ && unknown_->size() < kUnknownMax) unknown_->push_back(at.text());
        return true;
      }
      return absent(*field, &member.second, at);
    });
  }

 private:
  // Null is absent, and so are lists and maps without anything in them, as upstream's encoder leaves them out.
  bool absent(const FieldInfo& field, json::Value* value, const FieldPath& path) {
    if (value->is_null()) return true;
    switch (field.shape()) {
      case Shape::kObject:
        object(*field.type(), value, path);
        return false;
      case Shape::kArray:
        if (value->is_array() && !value->empty()) items(field, value, path);
        return value->is_array() && value->empty() && !field.required();
      case Shape::kMap:
        if (value->is_object() && !value->empty()) entries(field, value, path);
        return value->is_object() && value->empty() && !field.required();
      default:
        return false;
    }
  }
  void items(const FieldInfo& field, json::Value* value, const FieldPath& path) {
    size_t i = 0;
    for (json::Value& item : value->array_items()) {
      if (item.is_null()) item = zero(field.item_shape());
      if (field.item_shape() == Shape::kObject) object(*field.type(), &item, path.index(i));
      ++i;
    }
  }
  void entries(const FieldInfo& field, json::Value* value, const FieldPath& path) {
    for (auto& [key, entry] : value->object_members()) {
      if (entry.is_null()) entry = zero(field.item_shape());
      if (field.item_shape() == Shape::kObject) object(*field.type(), &entry, path.key(key));
    }
  }
  static json::Value zero(Shape shape) {
    switch (shape) {
      case Shape::kString:
        return "";
      case Shape::kObject:
        return json::Value::object();
      case Shape::kQuantity:
        return "0";
      case Shape::kBytes:
        return "";
      default:
        return nullptr;
    }
  }

  std::vector<std::string>* unknown_;
};

}  // namespace

void prune(const ResourceInfo& resource, json::Value* object, std::vector<std::string>* unknown) {
  Pruner(unknown).object(*resource.type, object, FieldPath());
}

}  // namespace lotse::schema
