// FieldRef: what the table says about the value at a place, for those who walk objects as trees of owned fields. Private to this room.
#pragma once
#include "core/schema/schema.h"

namespace lotse::schema {

struct FieldRef {
  Shape shape = Shape::kAny;
  const TypeInfo* type = nullptr;   // kObject: its own; kMap, kArray: of the items
  const FieldInfo* info = nullptr;  // null for items

  static FieldRef of(const TypeInfo& type) { return {Shape::kObject, &type, nullptr}; }
  static FieldRef of(const FieldInfo& field) { return {field.shape(), field.type(), &field}; }

  // A leaf is owned as a whole.
  bool atomic() const {
    switch (shape) {
      case Shape::kObject: return type->atomic() || (info && info->list_type_given() && info->merge() == Merge::kAtomic);
      case Shape::kMap:
      case Shape::kArray: return !info || info->merge() == Merge::kAtomic;
      case Shape::kAny: return false;  // objects are granular, lists atomic
      default: return true;
    }
  }
  bool walks_map(const json::Value& v) const {
    return v.is_object() && (shape == Shape::kObject || shape == Shape::kMap || shape == Shape::kAny) && !atomic();
  }
  bool walks_list(const json::Value& v) const { return v.is_array() && shape == Shape::kArray && !atomic(); }

  // Of a member; *known: false where the type has no such field.
  FieldRef member(std::string_view name, bool* known = nullptr) const {
    if (known) *known = true;
    if (shape == Shape::kAny) return {};
    if (shape == Shape::kMap) return item();
    if (const FieldInfo* field = type->field(name)) return of(*field);
    if (known) *known = false;
    return {};
  }
  bool named(std::string_view name) const { return shape == Shape::kObject && type->field(name) != nullptr; }
  FieldRef item() const { return info ? FieldRef{info->item_shape(), type, nullptr} : FieldRef(); }
};

// The step to an item of a list that is no leaf; empty if the item lacks a key.
std::string item_step(const FieldRef& list, const json::Value& item);
std::string member_step(std::string_view name);
// Fields that belong to nobody: at the top and in metadata.
bool unowned_at_top(std::string_view name);
bool unowned_metadata(std::string_view name);

}  // namespace lotse::schema
