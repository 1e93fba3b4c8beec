#include "core/schema/openapi.h"
#include "core/schema/table.h"

namespace lotse::schema::openapi {
namespace {

using json::Value;

constexpr std::string_view kAlways[] = {"io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
                                        "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
                                        "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"};
constexpr std::string_view kQuantity = "io.k8s.apimachinery.pkg.api.resource.Quantity",
                           kIntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
                           kTime = "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
                           kMicroTime = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
                           kRaw = "io.k8s.apimachinery.pkg.runtime.RawExtension",
                           kPatch = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

// Shapes that have a definition of their own.
std::string_view named_shape(Shape shape) {
  switch (shape) {
    case Shape::kQuantity:
      return kQuantity;
    case Shape::kIntOrString:
      return kIntOrString;
    case Shape::kTime:
      return kTime;
    case Shape::kMicroTime:
      return kMicroTime;
    case Shape::kAny:
      return kRaw;
    default:
      return {};
  }
}

Value either(std::initializer_list<const char*> types) {
  Value out = Value::array();
  for (const char* type : types) out.push(Value::object({{"type", type}}));
  return out;
}

Value named_schema(Dialect dialect, std::string_view name) {
  const bool v3 = dialect == Dialect::kV3;
  if (name == kQuantity && v3) return Value::object({{"oneOf", either({"string", "number"})}});
  if (name == kQuantity) return Value::object({{"type", "string"}});
  if (name == kIntOrString && v3)
    return Value::object({{"format", "int-or-string"}, {"oneOf", either({"integer", "string"})}});
  if (name == kIntOrString) return Value::object({{"type", "string"}, {"format", "int-or-string"}});
  if (name == kTime || name == kMicroTime) return Value::object({{"type", "string"}, {"format", "date-time"}});
  return Value::object({{"type", "object"}});  // RawExtension, Patch
}

Value words(const Words& list) {
  Value out = Value::array();
  for (std::string_view w : list) out.push(w);
  return out;
}

Value shape_schema(Dialect dialect, Shape shape, const FieldInfo& field) {
  if (const std::string_view name = named_shape(shape); !name.empty()) return reference(dialect, name);
  switch (shape) {
    case Shape::kString:
      return Value::object({{"type", "string"}});
    case Shape::kBytes:
      return Value::object({{"type", "string"}, {"format", "byte"}});
    case Shape::kInt32:
      return Value::object({{"type", "integer"}, {"format", "int32"}});
    case Shape::kInt64:
      return Value::object({{"type", "integer"}, {"format", "int64"}});
    case Shape::kDouble:
      return Value::object({{"type", "number"}, {"format", "double"}});
    case Shape::kBool:
      return Value::object({{"type", "boolean"}});
    case Shape::kObject:
      return reference(dialect, field.type()->name());
    case Shape::kArray: {
      // A list in a map is one of strings.
      const Shape item = field.shape() == Shape::kMap ? Shape::kString : field.item_shape();
      return Value::object({{"type", "array"}, {"items", shape_schema(dialect, item, field)}});
    }
    case Shape::kMap:
      return Value::object(
          {{"type", "object"}, {"additionalProperties", shape_schema(dialect, field.item_shape(), field)}});
    default:
      return Value::object();
  }
}

void add_extensions(const FieldInfo& field, Value* out) {
  if (field.list_type_given()) {
    constexpr std::string_view kNames[] = {"atomic", "set", "map", "granular"};
    const std::string_view name = kNames[static_cast<size_t>(field.merge())];
    out->set(field.shape() == Shape::kArray ? "x-kubernetes-list-type" : "x-kubernetes-map-type", name);
    if (field.merge() == Merge::kMapByKeys) out->set("x-kubernetes-list-map-keys", words(field.list_keys()));
  }
  if (!field.patch_merge_key().empty()) out->set("x-kubernetes-patch-merge-key", field.patch_merge_key());
  if (field.patch_merge())
    out->set("x-kubernetes-patch-strategy", field.patch_retain_keys() ? "merge,retainKeys" : "merge");
  else if (field.patch_retain_keys())
    out->set("x-kubernetes-patch-strategy", "retainKeys");
}

Value field_schema(Dialect dialect, const FieldInfo& field) {
  Value out = shape_schema(dialect, field.shape(), field);
  Value extensions;
  add_extensions(field, &extensions);
  if (extensions.empty()) return out;
  // OpenAPI 3.0 ignores what stands beside a $ref.
  if (dialect == Dialect::kV3 && out.has("$ref")) out = Value::object({{"allOf", Value::array({std::move(out)})}});
  for (const auto& [key, value] : extensions.members()) out.set(key, value);
  return out;
}

Value kinds_of(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

Value type_schema(Dialect dialect, const TypeInfo& type) {
  Value out = Value::object({{"type", "object"}});
  for (const FieldInfo& field : type.fields()) {
    out["properties"].set(field.name(), field_schema(dialect, field));
    if (field.required()) out["required"].push(field.name());
  }
  if (type.atomic()) out.set("x-kubernetes-map-type", "atomic");
  for (size_t i = 0; i < table::kResourceCount; ++i) {
    const ResourceInfo& r = table::kResources[i];
    if (r.type == &type) out["x-kubernetes-group-version-kind"].push(kinds_of(r.group, r.version, r.kind));
  }
  return out;
}

Value list_schema(Dialect dialect, const ResourceInfo& r) {
  Value properties =
      Value::object({{"apiVersion", Value::object({{"type", "string"}})},
                     {"kind", Value::object({{"type", "string"}})},
                     {"metadata", reference(dialect, "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")},
                     {"items", Value::object({{"type", "array"}, {"items", reference(dialect, r.type->name())}})}});
  std::string kind(r.kind);
  kind += "List";
  return Value::object({{"type", "object"},
                        {"properties", std::move(properties)},
                        {"required", Value::array({"items"})},
                        {"x-kubernetes-group-version-kind", Value::array({kinds_of(r.group, r.version, kind)})}});
}

void add_closure(const TypeInfo& type, std::set<std::string>* names) {
  if (!names->insert(std::string(type.name())).second) return;
  for (const FieldInfo& field : type.fields()) {
    for (Shape shape : {field.shape(), field.item_shape()}) {
      if (const std::string_view name = named_shape(shape); !name.empty()) names->emplace(name);
    }
    if (field.type()) add_closure(*field.type(), names);
  }
}

}  // namespace

Value reference(Dialect dialect, std::string_view name) {
  std::string place = dialect == Dialect::kV2 ? "#/definitions/" : "#/components/schemas/";
  place += name;
  return Value::object({{"$ref", std::move(place)}});
}

std::string list_name(const ResourceInfo& r) {
  return std::string(r.type->name()) + "List";
}

std::set<std::string> schemas_of(std::string_view group, std::string_view version) {
  std::set<std::string> names = {std::string(kPatch)};
  for (std::string_view name : kAlways) {
    if (auto* type = find_type(name)) add_closure(*type, &names);
  }
  for (const ResourceInfo* r : all()) {
    if (r->group != group || r->version != version) continue;
    add_closure(*r->type, &names);
    if (!r->virtual_resource) names.insert(list_name(*r));
    for (const SubresourceInfo& s : r->subresources) {
      if (auto* kind = find_kind(s.group, s.version, s.kind)) add_closure(*kind->type, &names);
    }
  }
  return names;
}

void each_schema(Dialect dialect, const std::set<std::string>* only, const SchemaSink& sink) {
  std::map<std::string, std::function<Value()>> makers;
  for (std::string_view name : {kQuantity, kIntOrString, kTime, kMicroTime, kRaw, kPatch}) {
    makers.emplace(name, [=] { return named_schema(dialect, name); });
  }
  for (size_t i = 0; i < table::kTypeCount; ++i) {
    const TypeInfo* type = &table::kTypes[i];
    makers.emplace(type->name(), [=] { return type_schema(dialect, *type); });
  }
  for (const ResourceInfo* r : all()) {
    if (!r->virtual_resource) makers.emplace(list_name(*r), [=] { return list_schema(dialect, *r); });
  }
  for (const auto& [name, make] : makers) {
    if (!only || only->count(name)) sink(name, make());
  }
}

}  // namespace lotse::schema::openapi
