// Edits of test objects in one line: path=JSON sets, path- removes; several are separated by " ; ". A path is written
// as field errors write it: spec.containers[0].name, metadata.labels["a/b"].
#pragma once
#include <string>
#include <string_view>

#include "core/schema/schema.h"

namespace lotse::schema {

json::Value yaml(std::string_view text);
void edit(json::Value* object, std::string_view edits);
// What the API does with an object before it is stored: prune, default, prepare.
json::Value admitted(const ResourceInfo& resource, json::Value object, const json::Value* old, Operation operation);
const ResourceInfo& resource_of(const json::Value& object);
std::string read_file(const std::string& path);

}  // namespace lotse::schema
