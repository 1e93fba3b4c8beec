// The conditional defaults of single kinds. Private to this room.
#pragma once
#include "core/object/json.h"

namespace lotse::schema {

void default_pod(json::Value* pod);        // what only a Pod gets, not a template
void default_pod_spec(json::Value* spec);  // of a Pod or a template
void default_service(json::Value* service);
void default_deployment(json::Value* deployment);
void default_subjects(json::Value* binding);
void default_limit_range(json::Value* limit_range);

// The tag decides the pull policy: Always for latest and for no tag, IfNotPresent else.
std::string_view default_pull_policy(std::string_view image);

// Sets a member that is absent or null.
inline void fill(json::Value* object, std::string_view key, json::Value value) {
  json::Value* old = object->find(key);
  if (!old || old->is_null()) object->set(key, std::move(value));
}
// Reads a member; (*object)["key"] would make it.
inline const json::Value& get(const json::Value& object, std::string_view key) {
  return object[key];
}
// The member as an object to edit, or nullptr if there is none.
inline json::Value* part(json::Value* object, std::string_view key) {
  json::Value* v = object->find(key);
  return v && v->is_object() ? v : nullptr;
}

}  // namespace lotse::schema
