// The kinds: one table of groups, versions, resources and types, compiled in for the built-in kinds. Everything that
// is the same for all kinds runs on this table: validation of types, enums and required fields, pruning, defaulting,
// strategic merge, columns, discovery, OpenAPI, kubectl explain. What is special to a kind stands in that kind's own file.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/object/json.h"
#include "core/object/object.h"

namespace lotse::schema {

enum class Shape : uint8_t {
  kString, kInt32, kInt64, kDouble, kBool, kQuantity, kIntOrString, kTime, kMicroTime, kBytes /* base64 */,
  kObject /* of `type` */, kMap /* string -> item */, kArray /* of item */, kAny /* RawExtension, unknown JSON */
};
// Kubernetes' x-kubernetes-list-type, -map-type and -patch-strategy in one word.
enum class Merge : uint8_t { kAtomic, kSet, kMapByKeys, kGranular };

struct TypeInfo;
struct FieldInfo {
  std::string_view name;
  Shape shape;
  Shape item_shape;             // kMap, kArray
  const TypeInfo* type;         // kObject, or of the items; nullptr else
  Merge merge;
  std::string_view patch_merge_key;              // strategic merge patch; "" none
  bool patch_replace, patch_retain_keys;
  std::span<const std::string_view> list_keys;   // kMapByKeys
  bool required;
  std::span<const std::string_view> choices;     // enum
  std::string_view fallback;                     // JSON text of the default, "" none; conditional ones stand in defaults_*.cc
};
struct TypeInfo {
  std::string_view name;                    // "io.k8s.api.core.v1.PodSpec"
  std::span<const FieldInfo> fields;        // sorted by name
  const FieldInfo* field(std::string_view name) const;
};

enum Verbs : uint16_t {
  kGet = 1, kList = 2, kWatch = 4, kCreate = 8, kUpdate = 16, kPatch = 32, kDelete = 64, kDeleteCollection = 128, kAllVerbs = 255
};
struct SubresourceInfo {
  std::string_view name;       // "status", "scale", "log"
  std::string_view group, version, kind;  // of what is sent: autoscaling/v1 Scale
  uint16_t verbs;              // connect-only ones: kGet | kCreate
  bool connect;
};
struct ColumnInfo {            // Table output; cells are computed by the kind's row function
  std::string_view name, type, format, description;
  int priority;
};
struct ResourceInfo {
  std::string_view group, version, resource, singular, kind;   // "apps","v1","deployments","deployment","Deployment"
  std::span<const std::string_view> short_names, categories;
  bool namespaced;
  bool virtual_resource;       // only create, nothing stored: reviews
  uint16_t verbs;
  const TypeInfo* type;
  std::span<const SubresourceInfo> subresources;
  std::span<const ColumnInfo> columns;
  std::span<const std::string_view> field_selectors;  // supported beside metadata.name and metadata.namespace
  bool has_status() const;
  const SubresourceInfo* subresource(std::string_view name) const;
  std::string api_version() const;  // "apps/v1", "v1"
};

std::span<const ResourceInfo* const> all();
const ResourceInfo* find(std::string_view group, std::string_view version, std::string_view resource);
const ResourceInfo* find_kind(std::string_view group, std::string_view version, std::string_view kind);
const ResourceInfo* find_kind(std::string_view api_version, std::string_view kind);
const TypeInfo* find_type(std::string_view name);

enum class Operation : uint8_t { kCreate, kUpdate, kUpdateStatus };

// Removes fields that the table does not know. Their paths go to unknown ("spec.foo"), for fieldValidation Warn and Strict.
void prune(const ResourceInfo& resource, json::Value* object, std::vector<std::string>* unknown);
// Types, enums, required fields, formats: before defaulting. Decode errors of a wrong type are kBadRequest as upstream.
Status check_types(const ResourceInfo& resource, const json::Value& object);
// Fills in the defaults of the table and of the kind's own file, and upstream's normalisations.
void apply_defaults(const ResourceInfo& resource, json::Value* object, const json::Value* old);
// Everything else: names, labels, metadata, immutable fields, cross-field rules. `old` is null on create.
std::vector<Cause> validate(const ResourceInfo& resource, const json::Value& object, const json::Value* old, Operation operation);
// On create and update: wipes status or keeps the old one, sets generation (as upstream's strategies do).
void prepare(const ResourceInfo& resource, json::Value* object, const json::Value* old, Operation operation);
Result<json::Value> strategic_merge(const TypeInfo& type, json::Value original, const json::Value& patch);
// The cells of a Table row, one a column, as upstream's printers give them.
std::vector<json::Value> row(const ResourceInfo& resource, const json::Value& object, WallTime now);
// metadata.name rules and generateName's cut.
std::vector<std::string> check_name(const ResourceInfo& resource, std::string_view name, bool prefix);

// Documents; built on first use and cached.
json::Value openapi_v2();
Bytes openapi_v2_protobuf();   // gnostic's openapi.v2.Document
json::Value openapi_v3_index();
Result<json::Value> openapi_v3(std::string_view group_version);  // "api/v1", "apis/apps/v1"
json::Value api_versions();    // GET /api
json::Value api_group_list();  // GET /apis
Result<json::Value> api_group(std::string_view group);                                  // GET /apis/apps
Result<json::Value> api_resources(std::string_view group, std::string_view version);    // GET /apis/apps/v1
json::Value aggregated_discovery(bool core);   // APIGroupDiscoveryList, v2

}  // namespace lotse::schema
