#include "core/schema/validate.h"

#include "core/schema/names.h"

namespace lotse::schema {
namespace {

using json::Value;

// Enums and required fields of the table, everywhere but in a status: that is the writer's own affair.
class TableWalk {
 public:
  explicit TableWalk(Errors* errors) : errors_(errors) {}

  void object(const TypeInfo& type, const Value& value, const FieldPath& path) {
    for (const FieldInfo& field : type.fields()) {
      const Value& member = value[field.name()];
      const FieldPath at = path.child(field.name());
      if (field.enforced() && is_missing(member)) errors_->required(at);
      if (member.is_null()) continue;
      if (field.extra_ != 0xffff && !field.choices().empty()) choice(field, member, at);
      if (field.type()) inside(field, member, at);
    }
  }
  void top(const TypeInfo& type, const Value& value) {
    for (const FieldInfo& field : type.fields()) {
      if (field.name() == "metadata" || field.name() == "status") continue;
      const Value& member = value[field.name()];
      const FieldPath at(field.name());
      if (field.enforced() && is_missing(member)) errors_->required(at);
      if (member.is_null()) continue;
      if (field.extra_ != 0xffff && !field.choices().empty()) choice(field, member, at);
      if (field.type()) inside(field, member, at);
    }
  }

 private:
  static bool is_missing(const Value& v) {
    return v.is_null() || (v.is_string() && v.str().empty()) || (v.is_array() && v.empty());
  }
  void choice(const FieldInfo& field, const Value& v, const FieldPath& path) {
    if (v.is_array()) {
      for (size_t i = 0; i < v.size(); ++i) choice(field, v.at(i), path.index(i));
      return;
    }
    if (!v.is_string() || field.choices().contains(v.str())) return;
    std::vector<std::string_view> choices;
    for (std::string_view c : field.choices()) choices.push_back(c);
    errors_->not_supported(path, v, std::move(choices));
  }
  void inside(const FieldInfo& field, const Value& v, const FieldPath& path) {
    if (v.is_array()) {
      for (size_t i = 0; i < v.size(); ++i) object(*field.type(), v.at(i), path.index(i));
    } else if (field.shape() == Shape::kObject) {
      object(*field.type(), v, path);
    } else {
      for (const auto& [key, entry] : v.members()) object(*field.type(), entry, path.key(key));
    }
  }
  Errors* errors_;
};

struct KindRules {
  std::string_view kind;
  void (*rules)(const Rules&);
};
constexpr KindRules kKinds[] = {{"Pod", validate_pod},
                                {"Service", validate_service},
                                {"Endpoints", validate_endpoints},
                                {"EndpointSlice", validate_endpoint_slice},
                                {"Deployment", validate_deployment},
                                {"ReplicaSet", validate_replica_set},
                                {"ControllerRevision", validate_controller_revision},
                                {"Role", validate_role},
                                {"ClusterRole", validate_role},
                                {"RoleBinding", validate_role_binding},
                                {"Scale", validate_scale},
                                {"ClusterRoleBinding", validate_role_binding},
                                {"ConfigMap", validate_config_map},
                                {"Secret", validate_secret},
                                {"Namespace", validate_namespace},
                                {"Node", validate_node},
                                {"Event", validate_event},
                                {"Lease", validate_lease},
                                {"PriorityClass", validate_priority_class},
                                {"PodDisruptionBudget", validate_disruption_budget},
                                {"PodTemplate", [](const Rules& r) {
                                   validate_pod_template(r.object["template"], FieldPath("template"), &r.errors);
                                 }}};

}  // namespace

void validate_table(const ResourceInfo& resource, const Value& object, Errors* errors) {
  TableWalk(errors).top(*resource.type, object);
}

std::vector<Cause> validate(const ResourceInfo& resource, const Value& object, const Value* old, Operation operation) {
  Errors errors;
  const Rules rules{resource, object, old, operation, errors};
  if (!resource.virtual_resource) validate_metadata(rules);
  if (operation != Operation::kUpdateStatus) validate_table(resource, object, &errors);
  for (const KindRules& k : kKinds) {
    if (k.kind == resource.kind) k.rules(rules);
  }
  return errors.take();
}

void check_not_negative(const Value& value, const FieldPath& path, Errors* errors) {
  if (value.is_number() && value.integer() < 0) errors->invalid(path, value, "must be greater than or equal to 0");
}

void check_unchanged(const Value& now, const Value& before, const FieldPath& path, Errors* errors) {
  if (!(now == before)) errors->invalid(path, now, kImmutable);
}

void check_port(const Value& port, const FieldPath& path, Errors* errors) {
  if (port.is_string()) {
    errors->check(path, port.str(), port_name(port.str()));
  } else if (auto why = port_number(port.integer()); !why.empty()) {
    errors->invalid(path, port.is_null() ? Value(0) : port, why);
  }
}

void validate_quantities(const Value& map, const FieldPath& path, Errors* errors) {
  for (const auto& [name, quantity] : map.members()) {
    const FieldPath at = path.key(name);
    errors->check(at, name, qualified_name(name));
    if (quantity.str().starts_with('-')) errors->invalid(at, quantity, "must be greater than or equal to 0");
  }
}

}  // namespace lotse::schema
