#include "core/schema/defaults.h"

#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/object/quantity.h"
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

using json::Value;

Value fallback_value(std::string_view text) {
  if (text == "{}") return Value::object();
  if (text[0] == '"') return text.substr(1, text.size() - 2);  // the table has no escapes
  if (text == "true" || text == "false") return text == "true";
  return Value::number(text);
}

// One spelling of what can be spelled in several ways, so that equal objects have equal bytes.
void normalise(Shape shape, Value* v) {
  if (shape == Shape::kQuantity) {
    auto q = Quantity::parse(v->is_string() ? v->str() : v->number_text());
    if (!q.ok()) return;
    std::string canonical = q->canonical();
    if (v->str() != canonical) *v = std::move(canonical);
  } else if (shape == Shape::kTime || shape == Shape::kMicroTime) {
    const bool exact = v->str().size() == (shape == Shape::kTime ? 20 : 27) && v->str().ends_with('Z');
    if (exact || !v->is_string()) return;
    if (auto time = parse_time(v->str()); time.ok())
      *v = shape == Shape::kTime ? format_time(*time) : format_micro_time(*time);
  } else if (shape == Shape::kBytes && v->str().find_first_of("\r\n") != std::string_view::npos) {
    std::string clean(v->str());
    std::erase_if(clean, [](char c) { return c == '\n' || c == '\r'; });
    *v = std::move(clean);
  }
}

void walk(const TypeInfo& type, Value* object);

void walk_value(Shape shape, const FieldInfo& field, Value* v) {
  if (shape == Shape::kObject) {
    walk(*field.type(), v);
  } else if (shape == Shape::kArray && v->is_array() && !v->empty() && field.shape() == Shape::kArray) {
    for (Value& item : v->array_items()) walk_value(field.item_shape(), field, &item);
  } else if (shape == Shape::kMap && v->is_object() && !v->empty()) {
    for (auto& [key, entry] : v->object_members()) walk_value(field.item_shape(), field, &entry);
  } else {
    normalise(shape, v);
  }
}

void walk(const TypeInfo& type, Value* object) {
  if (!object->is_object()) return;
  for (const FieldInfo& field : type.fields()) {
    if (field.extra_ != 0xffff && !field.fallback().empty())
      fill(object, field.name(), fallback_value(field.fallback()));
  }
  if (object->empty()) return;
  for (auto& [name, member] : object->object_members()) {
    const FieldInfo* field = type.field(name);
    if (field && !member.is_null()) walk_value(field->shape(), *field, &member);
  }
}

void default_namespace(Value* object) {
  const std::string name(get(get(*object, "metadata"), "name").str());
  if (!name.empty()) (*object)["metadata"]["labels"].set("kubernetes.io/metadata.name", name);
}

void default_secret(Value* object) {
  Value* plain = part(object, "stringData");
  if (!plain) return;
  for (const auto& [key, value] : plain->members()) (*object)["data"].set(key, base64(value.str()));
  object->erase("stringData");
}

void default_node(Value* object) {
  if (Value* status = part(object, "status"); status && status->has("capacity")) {
    Value capacity = get(*status, "capacity");
    fill(status, "allocatable", std::move(capacity));
  }
  Value* spec = part(object, "spec");
  if (!spec) return;
  const Value one = get(*spec, "podCIDR"), first = get(*spec, "podCIDRs").at(0);
  if (!one.str().empty()) fill(spec, "podCIDRs", Value::array({one}));
  if (!first.str().empty()) fill(spec, "podCIDR", first);
}

}  // namespace

void apply_defaults(const ResourceInfo& resource, Value* object, const Value*) {
  const std::string_view kind = resource.kind;
  if (kind == "Secret") default_secret(object);
  if (kind == "Pod") default_pod(object);
  // Template and pod alike, before the table fills in what depends on nothing.
  if (Value* spec = part(object, "spec"); kind == "Pod" && spec) default_pod_spec(spec);
  if (Value* spec = part(object, "spec"); spec && (kind == "Deployment" || kind == "ReplicaSet")) {
    if (Value* tpl = part(spec, "template")) default_pod_spec(&(*tpl)["spec"]);
  }
  if (kind == "PodTemplate") {
    if (Value* tpl = part(object, "template")) default_pod_spec(&(*tpl)["spec"]);
  }
  walk(*resource.type, object);
  if (kind == "Service")
    default_service(object);
  else if (kind == "Deployment")
    default_deployment(object);
  else if (kind == "RoleBinding" || kind == "ClusterRoleBinding")
    default_subjects(object);
  else if (kind == "Namespace")
    default_namespace(object);
  else if (kind == "Node")
    default_node(object);
  else if (kind == "LimitRange")
    default_limit_range(object);
}

}  // namespace lotse::schema
