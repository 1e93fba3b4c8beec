// Strategic merge patch: a merge patch that knows from the table which lists merge by a key or as sets, with the
// directives $patch, $retainKeys, $setElementOrder/LIST and $deleteFromPrimitiveList/LIST.
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr std::string_view kPatch = "$patch", kRetainKeys = "$retainKeys", kOrder = "$setElementOrder/",
                           kDeleteFrom = "$deleteFromPrimitiveList/";

Status malformed(std::string what) {
  return Status(Reason::kBadRequest, "invalid strategic merge patch: " + std::move(what));
}

bool contains(const Value& list, const Value& wanted) {
  return std::find(list.items().begin(), list.items().end(), wanted) != list.items().end();
}

// Nulls and directives mean nothing where there is no original.
Value without_directives(const Value& patch, bool drop_nulls) {
  if (patch.is_array()) {
    Value out = Value::array();
    for (const Value& item : patch.items()) {
      if (item.is_object() && item[kPatch].str() == "delete") continue;
      if (item.is_object() && item.size() == 1 && item.has(kPatch)) continue;
      out.push(without_directives(item, drop_nulls));
    }
    return out;
  }
  if (!patch.is_object()) return patch;
  Value out = Value::object();
  for (const auto& [key, value] : patch.members()) {
    if (key.starts_with('$') &&
        (key == kPatch || key == kRetainKeys || key.starts_with(kOrder) || key.starts_with(kDeleteFrom)))
      continue;
    if (value.is_null() && drop_nulls) continue;
    out.set(key, without_directives(value, drop_nulls));
  }
  return out;
}

class Merger {
 public:
  // `type` is null inside of maps and unknown JSON: there it is a plain merge patch.
  Result<Value> object(const TypeInfo* type, Value original, const Value& patch) {
    if (!patch.is_object()) return malformed("an object is expected");
    const std::string_view directive = patch[kPatch].str();
    if (directive == "delete") return Value::object();
    if (directive == "replace") return without_directives(patch, true);
    if (patch.has(kPatch) && directive != "merge") return malformed("$patch is \"" + std::string(directive) + "\"");
    if (!original.is_object()) original = Value::object();
    LOTSE_CHECK_OK(retain_keys(patch, &original));
    LOTSE_CHECK_OK(delete_from_lists(patch, &original));
    for (const auto& [name, value] : patch.members()) {
      if (name == kPatch || name == kRetainKeys || name.starts_with(kOrder) || name.starts_with(kDeleteFrom)) continue;
      if (value.is_null()) {
        original.erase(name);
        continue;
      }
      const FieldInfo* field = type ? type->field(name) : nullptr;
      Value* old = original.find(name);
      LOTSE_TRY(Value merged, member(field, old ? std::move(*old) : Value(), value, patch[std::string(kOrder) + name]));
      original.set(name, std::move(merged));
    }
    // An order may be given for lists that the patch changes in no other way.
    for (const auto& [name, order] : patch.members()) {
      if (!name.starts_with(kOrder)) continue;
      const std::string list = name.substr(kOrder.size());
      const FieldInfo* field = type ? type->field(list) : nullptr;
      Value* now = original.find(list);
      if (!patch.has(list) && now && now->is_array() && field) reorder(field->patch_merge_key(), order, now);
    }
    return original;
  }

 private:
  Result<Value> member(const FieldInfo* field, Value original, const Value& patch, const Value& order) {
    if (patch.is_object()) {
      if (field && field->shape() == Shape::kObject) return object(field->type(), std::move(original), patch);
      return object(nullptr, std::move(original), patch);
    }
    if (!patch.is_array() || !field || field->shape() != Shape::kArray || !field->patch_merge())
      return without_directives(patch, false);
    const std::string_view key = field->patch_merge_key();
    if (key.empty()) return set(std::move(original), patch, order);
    return list(*field, key, std::move(original), patch, order);
  }

  Result<Value> list(const FieldInfo& field, std::string_view key, Value original, const Value& patch,
                     const Value& order) {
    for (const Value& item : patch.items()) {
      if (!item.is_object()) return malformed("the items of \"" + std::string(field.name()) + "\" are objects");
      if (item[kPatch].str() == "replace") return without_directives(patch, true);
    }
    if (!original.is_array()) original = Value::array();
    auto& items = original.array_items();
    for (const Value& item : patch.items()) {
      const std::string_view directive = item[kPatch].str();
      const Value* wanted = item.find(key);
      if (!wanted) {
        return malformed("an item of \"" + std::string(field.name()) + "\" has no \"" + std::string(key) +
                         "\", its merge key");
      }
      auto same = [&](const Value& v) { return v[key] == *wanted; };
      if (directive == "delete") {
        std::erase_if(items, same);
        continue;
      }
      auto it = std::find_if(items.begin(), items.end(), same);
      if (it == items.end()) {
        items.push_back(without_directives(item, true));
      } else {
        LOTSE_TRY(*it, object(field.type(), std::move(*it), item));
      }
    }
    if (order.is_array()) reorder(key, order, &original);
    return original;
  }

  static Value set(Value original, const Value& patch, const Value& order) {
    if (!original.is_array()) original = Value::array();
    for (const Value& item : patch.items()) {
      if (!contains(original, item)) original.push(item);
    }
    if (order.is_array()) reorder("", order, &original);
    return original;
  }

  // Items named in the order stand in that order; one that is not named stays behind the same item as before.
  static void reorder(std::string_view key, const Value& order, Value* list) {
    auto rank = [&](const Value& item) -> std::optional<size_t> {
      for (size_t i = 0; i < order.size(); ++i) {
        if (key.empty() ? order.at(i) == item : order.at(i)[key] == item[key]) return i;
      }
      return std::nullopt;
    };
    struct Ranked {
      size_t rank;
      Value item;
    };
    std::vector<Ranked> ranked;
    size_t last = 0;  // unnamed items take the rank of what stands before them
    for (Value& item : list->array_items()) {
      const auto r = rank(item);
      if (r) last = *r + 1;
      ranked.push_back({r ? *r + 1 : last, std::move(item)});
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](auto& a, auto& b) { return a.rank < b.rank; });
    list->array_items().clear();
    for (Ranked& r : ranked) list->push(std::move(r.item));
  }

  static Status retain_keys(const Value& patch, Value* original) {
    const Value* keys = patch.find(kRetainKeys);
    if (!keys) return {};
    if (!keys->is_array()) return malformed("$retainKeys is a list");
    for (const auto& [name, value] : patch.members()) {
      if (!name.starts_with('$') && !value.is_null() && !contains(*keys, name)) {
        return malformed("\"" + name + "\" is given and not in $retainKeys");
      }
    }
    std::erase_if(original->object_members(), [&](auto& member) { return !contains(*keys, member.first); });
    return {};
  }

  static Status delete_from_lists(const Value& patch, Value* original) {
    for (const auto& [name, gone] : patch.members()) {
      if (!name.starts_with(kDeleteFrom)) continue;
      if (!gone.is_array()) return malformed(name + " is a list");
      Value* list = original->find(name.substr(kDeleteFrom.size()));
      if (list && list->is_array())
        std::erase_if(list->array_items(), [&](const Value& v) { return contains(gone, v); });
    }
    return {};
  }
};

}  // namespace

Result<Value> strategic_merge(const TypeInfo& type, Value original, const Value& patch) {
  return Merger().object(&type, std::move(original), patch);
}

}  // namespace lotse::schema
