#include "core/schema/field_ref.h"

namespace lotse::schema {

std::string member_step(std::string_view name) {
  std::string step;
  step.reserve(2 + name.size());
  return step.append("f:").append(name);
}

std::string item_step(const FieldRef& list, const json::Value& item) {
  if (list.info->merge() == Merge::kSet) return "v:" + json::write(item);
  json::Value keys = json::Value::object();
  for (const std::string_view key : list.info->list_keys()) {
    const json::Value* value = item.find(key);
    if (value && !value->is_null()) {
      keys.set(key, *value);
      continue;
    }
    const FieldInfo* field = list.type ? list.type->field(key) : nullptr;
    const auto fallback = field && !field->fallback().empty() ? json::parse(field->fallback()) : Result<json::Value>(json::Value());
    if (!fallback.ok() || fallback->is_null()) return {};
    keys.set(key, *fallback);
  }
  return "k:" + json::write(keys);
}

bool unowned_at_top(std::string_view name) { return name == "apiVersion" || name == "kind"; }

bool unowned_metadata(std::string_view name) {
  constexpr std::string_view kNames[] = {"creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink", "uid"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace lotse::schema
