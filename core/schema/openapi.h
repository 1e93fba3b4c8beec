// What the OpenAPI documents of both versions are made of: schemas from the table of types, operations from the table
// of resources. Built piece by piece, so that no whole document need stand in memory. Private to this room.
#pragma once
#include <functional>
#include <set>
#include <string>

#include "core/schema/schema.h"

namespace lotse::schema::openapi {

enum class Dialect { kV2, kV3 };

inline constexpr std::string_view kTitle = "Kubernetes", kVersion = "v1.36.0";

// (name, schema), in the order of names. With `only`, just those types.
using SchemaSink = std::function<void(std::string_view name, const json::Value& schema)>;
void each_schema(Dialect dialect, const std::set<std::string>* only, const SchemaSink& sink);
// (path, path item), in the order of paths, of the resources that `wanted` takes.
using PathSink = std::function<void(std::string_view path, const json::Value& item)>;
void each_path(Dialect dialect, const std::function<bool(const ResourceInfo&)>& wanted, const PathSink& sink);
// The names of all schemas that the resources of one group and version need.
std::set<std::string> schemas_of(std::string_view group, std::string_view version);

json::Value reference(Dialect dialect, std::string_view name);
std::string list_name(const ResourceInfo& resource);  // "io.k8s.api.core.v1.PodList"

}  // namespace lotse::schema::openapi
