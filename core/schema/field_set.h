// FieldSet: which fields of an object somebody has to do with, in the form of metadata.managedFields[].fieldsV1 (Kubernetes' structured
// merge and diff): a tree of objects with a key for each step, {"f:spec":{"f:replicas":{}}}. A step is f:NAME, k:{KEYS} for an item of a
// list with keys or v:VALUE for one of a set. A node that is empty is a member itself; one with children is a member if it has the key ".".
//
// Below: the algebra of such sets, and what the table of types says about objects in their terms. Fields that nobody owns (apiVersion,
// kind, name, uid, resourceVersion, ...) are in no set. Pure functions, any thread.
#pragma once
#include <string>
#include <vector>

#include "core/schema/schema.h"

namespace lotse::schema {

using FieldSet = json::Value;

bool is_field_set(const json::Value& value);  // of the form above: what clients send need not be
bool has_fields(const FieldSet& set);
bool overlap(const FieldSet& a, const FieldSet& b);  // whether they have a member in common
FieldSet unite(const FieldSet& a, const FieldSet& b);
FieldSet intersect(const FieldSet& a, const FieldSet& b);
FieldSet subtract(const FieldSet& a, const FieldSet& b);       // members of b go, what is below them stays
FieldSet subtract_deep(const FieldSet& a, const FieldSet& b);  // what is below goes as well
// The members as people read them: .spec.containers[name="web"].image
std::vector<std::string> field_paths(const FieldSet& set);

struct FieldChanges {
  FieldSet removed, modified, added;
  bool none() const { return !has_fields(removed) && !has_fields(modified) && !has_fields(added); }
};
// `before` is null for an object that is new: then the parts that every object of the type has are not counted as added.
FieldChanges compare_fields(const TypeInfo& type, const json::Value* before, const json::Value& now);
// Everything that a document says something about.
FieldSet fields_of(const TypeInfo& type, const json::Value& object);
// What is wrong with a document that somebody applies: unknown fields, items without keys or with the same ones. Empty: nothing.
std::string check_applied(const TypeInfo& type, const json::Value& object);
// `applied` laid over `object`: lists merge as their types say, nothing is removed.
json::Value merge_applied(const TypeInfo& type, const json::Value& object, const json::Value& applied);
// The object without what is in the set.
json::Value without_fields(const TypeInfo& type, const json::Value& object, const FieldSet& set);
// With the named fields on the way to each member as members.
FieldSet with_named_fields(const TypeInfo& type, const FieldSet& set);

}  // namespace lotse::schema
