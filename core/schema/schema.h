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
// Kubernetes' x-kubernetes-list-type and -map-type in one word.
enum class Merge : uint8_t { kAtomic, kSet, kMapByKeys, kGranular };

// The table of types is packed (10 bytes a field, offsets instead of pointers), so that it stays in the binary's
// read-only pages, shared and without relocations; these are views of it, to be used by reference only.
struct Text {
  uint16_t offset, size;
  std::string_view view() const;
};
class Words {
 public:
  struct Iterator {
    const Text* at;
    std::string_view operator*() const { return at->view(); }
    Iterator& operator++() { return ++at, *this; }
    bool operator!=(const Iterator& o) const { return at != o.at; }
  };
  Words(const Text* first, size_t count) : first_(first), count_(count) {}
  Iterator begin() const { return {first_}; }
  Iterator end() const { return {first_ + count_}; }
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::string_view operator[](size_t i) const { return first_[i].view(); }
  bool contains(std::string_view word) const;

 private:
  const Text* first_;
  size_t count_;
};

struct TypeInfo;
struct FieldInfo {
  std::string_view name() const { return name_.view(); }
  Shape shape() const { return static_cast<Shape>(shapes_ & 15); }
  Shape item_shape() const { return static_cast<Shape>(shapes_ >> 4); }  // kMap, kArray; a list in a map is one of strings
  const TypeInfo* type() const;                    // kObject, or of the items; nullptr else
  Merge merge() const { return static_cast<Merge>(flags_ & 3); }
  bool list_type_given() const { return flags_ & 4; }
  bool required() const { return flags_ & 8; }     // as documents tell it
  bool enforced() const { return flags_ & 16; }    // required, and the server insists on it for every kind
  // Strategic merge patch: lists merge by key (or as sets if there is none) instead of being replaced.
  bool patch_merge() const { return flags_ & 32; }
  bool patch_retain_keys() const { return flags_ & 64; }
  std::string_view patch_merge_key() const;        // "" none
  Words list_keys() const;                         // kMapByKeys
  Words choices() const;                           // enum
  std::string_view fallback() const;               // JSON text of the default, "" none; conditional ones: defaults_*.cc

  Text name_;
  uint16_t type_, extra_;
  uint8_t shapes_, flags_;
};
struct TypeInfo {
  std::string_view name() const { return name_.view(); }  // "io.k8s.api.core.v1.PodSpec"
  std::span<const FieldInfo> fields() const;              // sorted by name
  const FieldInfo* field(std::string_view name) const;
  bool atomic() const { return atomic_; }                 // x-kubernetes-map-type: atomic

  Text name_;
  uint16_t first_;
  uint8_t count_;
  bool atomic_;
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
  bool virtual_resource;       // only create, nothing stored: reviews; also kinds that are only sent (Eviction, Scale)
  uint16_t verbs;
  const TypeInfo* type;
  std::span<const SubresourceInfo> subresources;
  std::span<const ColumnInfo> columns;
  std::span<const std::string_view> field_selectors;  // supported beside metadata.name and metadata.namespace
  bool has_status() const;
  const SubresourceInfo* subresource(std::string_view name) const;
  std::string api_version() const;  // "apps/v1", "v1"
};

// Every resource that is served, by group (core first), version and resource.
std::span<const ResourceInfo* const> all();
const ResourceInfo* find(std::string_view group, std::string_view version, std::string_view resource);
// Also kinds without a resource of their own, with an empty `resource`: Scale, Eviction, TokenRequest, Status, DeleteOptions.
const ResourceInfo* find_kind(std::string_view group, std::string_view version, std::string_view kind);
const ResourceInfo* find_kind(std::string_view api_version, std::string_view kind);
const TypeInfo* find_type(std::string_view name);

// What is stored: v1 Event for events.k8s.io/v1 Event, the resource itself for all else.
const ResourceInfo& storage(const ResourceInfo& resource);
// Rewrites an object between the two versions of Event (field names and apiVersion); all else is left as it is.
void convert(const ResourceInfo& from, const ResourceInfo& to, json::Value* object);

// kUpdateStatus is an update through the status subresource; resize, ephemeralcontainers and binding have their own.
// An object's way in: check_types, prune, apply_defaults, prepare, then what the api adds (uid, addresses), validate.
enum class Operation : uint8_t { kCreate, kUpdate, kUpdateStatus, kResize, kEphemeralContainers };

// Removes fields that the table does not know. Their paths go to unknown ("spec.foo"), for fieldValidation Warn and Strict.
void prune(const ResourceInfo& resource, json::Value* object, std::vector<std::string>* unknown);
// Types and formats, before defaulting: what upstream's decoder refuses, so kBadRequest. Enums and required fields are
// validate()'s, after defaulting, so that they come as causes together with all others.
Status check_types(const ResourceInfo& resource, const json::Value& object);
// Fills in the defaults of the table and of the kind's own file, and upstream's normalisations.
void apply_defaults(const ResourceInfo& resource, json::Value* object, const json::Value* old);
// Everything else: names, labels, metadata, immutable fields, cross-field rules. `old` is null on create.
std::vector<Cause> validate(const ResourceInfo& resource, const json::Value& object, const json::Value* old, Operation operation);
// On create and update, after apply_defaults and before validate (a generation counts changes of what was filled in):
// wipes status or keeps the old one (kUpdateStatus: keeps the old spec and most metadata), as upstream's strategies do.
void prepare(const ResourceInfo& resource, json::Value* object, const json::Value* old, Operation operation);
Result<json::Value> strategic_merge(const TypeInfo& type, json::Value original, const json::Value& patch);
// The cells of a Table row, one a column, as upstream's printers give them.
std::vector<json::Value> row(const ResourceInfo& resource, const json::Value& object, WallTime now);
// metadata.name's rules; `prefix`: for generateName, which may end in a dash. Sentences of what is wrong, none if valid.
std::vector<std::string> check_name(const ResourceInfo& resource, std::string_view name, bool prefix);

// Documents. Values are built anew at each call, to be encoded and let go; only the protobuf form, which old kubectl
// asks for at every apply, is kept, as bytes.
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
