#include "core/base/ids.h"
#include "core/schema/openapi.h"
#include "core/schema/table.h"

namespace lotse::schema {
namespace {

using json::Value;
using openapi::Dialect;

Value info() {
  return Value::object({{"title", openapi::kTitle}, {"version", openapi::kVersion}});
}

std::string path_of(std::string_view group, std::string_view version) {
  return (group.empty() ? "api/" : "apis/" + std::string(group) + "/") + std::string(version);
}

// The documents change when the table does.
std::string document_hash(std::string_view path) {
  const TypeInfo& last = table::kTypes[table::kTypeCount - 1];
  const auto* end = last.fields().data() + last.fields().size();
  const std::string_view fields(reinterpret_cast<const char*>(table::kFields),
                                static_cast<size_t>(end - table::kFields) * sizeof *end);
  std::string text(path);
  for (std::string_view part : {fields, table::kTypes[0].name()}) text += std::to_string(hash64(part)) + ".";
  return sha256_hex(text);
}

}  // namespace

Value openapi_v2() {
  Value definitions = Value::object(), paths = Value::object();
  openapi::each_schema(Dialect::kV2, nullptr,
                       [&](std::string_view name, const Value& schema) { definitions.set(name, schema); });
  openapi::each_path(
      Dialect::kV2, [](auto&) { return true; },
      [&](std::string_view path, const Value& item) { paths.set(path, item); });
  return Value::object(
      {{"swagger", "2.0"}, {"info", info()}, {"paths", std::move(paths)}, {"definitions", std::move(definitions)}});
}

Value openapi_v3_index() {
  Value paths = Value::object();
  for (const ResourceInfo* r : all()) {
    const std::string path = path_of(r->group, r->version);
    if (!paths.has(path)) {
      paths.set(path, Value::object({{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + document_hash(path)}}));
    }
  }
  return Value::object({{"paths", std::move(paths)}});
}

Result<Value> openapi_v3(std::string_view group_version) {
  const ResourceInfo* found = nullptr;
  for (const ResourceInfo* r : all()) {
    if (path_of(r->group, r->version) == group_version) found = r;
  }
  if (!found) return Status::not_found("", "openapi", group_version);
  Value schemas = Value::object(), paths = Value::object();
  const std::set<std::string> names = openapi::schemas_of(found->group, found->version);
  openapi::each_schema(Dialect::kV3, &names,
                       [&](std::string_view name, const Value& schema) { schemas.set(name, schema); });
  openapi::each_path(
      Dialect::kV3, [&](const ResourceInfo& r) { return r.group == found->group && r.version == found->version; },
      [&](std::string_view path, const Value& item) { paths.set(path, item); });
  return Value::object({{"openapi", "3.0.0"},
                        {"info", info()},
                        {"paths", std::move(paths)},
                        {"components", Value::object({{"schemas", std::move(schemas)}})}});
}

}  // namespace lotse::schema
