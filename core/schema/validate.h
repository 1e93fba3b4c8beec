// The rules of single kinds, each in validate_<kinds>.cc. Private to this room. `old` is null on create.
#pragma once
#include "core/schema/field_errors.h"
#include "core/schema/schema.h"

namespace lotse::schema {

struct Rules {
  const ResourceInfo& resource;
  const json::Value& object;
  const json::Value* old;
  Operation operation;
  Errors& errors;
};

void validate_table(const ResourceInfo& resource, const json::Value& object, Errors* errors);
void validate_metadata(const Rules& r);
void validate_labels(const json::Value& labels, const FieldPath& path, Errors* errors);
void validate_annotations(const json::Value& annotations, const FieldPath& path, Errors* errors);
void validate_label_selector(const json::Value& selector, const FieldPath& path, Errors* errors);

void validate_pod(const Rules& r);
void validate_pod_update(const Rules& r);
// In a template the restart policy has rules of its own, which its owner checks.
void validate_pod_spec(const json::Value& spec, const FieldPath& path, bool in_template, Errors* errors);
void validate_pod_template(const json::Value& pod_template, const FieldPath& path, Errors* errors);
void validate_volumes(const json::Value& volumes, const FieldPath& path, Errors* errors);
void validate_containers(const json::Value& spec, const FieldPath& path, Errors* errors);
void validate_env(const json::Value& container, const FieldPath& path, Errors* errors);
void validate_probes(const json::Value& container, bool is_init, bool is_sidecar, const FieldPath& path,
                     Errors* errors);
void validate_resources(const json::Value& resources, const FieldPath& path, Errors* errors);
void validate_scheduling(const json::Value& spec, const FieldPath& path, Errors* errors);
void validate_security(const json::Value& spec, const FieldPath& path, Errors* errors);
void validate_node_selector(const json::Value& selector, const FieldPath& path, Errors* errors);
void validate_service(const Rules& r);
void validate_endpoints(const Rules& r);
void validate_endpoint_slice(const Rules& r);
void validate_deployment(const Rules& r);
void validate_replica_set(const Rules& r);
void validate_controller_revision(const Rules& r);
void validate_role(const Rules& r);
void validate_role_binding(const Rules& r);
void validate_config_map(const Rules& r);
void validate_secret(const Rules& r);
void validate_namespace(const Rules& r);
void validate_node(const Rules& r);
void validate_event(const Rules& r);
void validate_lease(const Rules& r);
void validate_priority_class(const Rules& r);
void validate_disruption_budget(const Rules& r);
void validate_quantities(const json::Value& map, const FieldPath& path, Errors* errors);  // none negative
void validate_scale(const Rules& r);

// Shared by the rules.
void check_not_negative(const json::Value& value, const FieldPath& path, Errors* errors);
void check_unchanged(const json::Value& now, const json::Value& before, const FieldPath& path, Errors* errors);
// A port by number, or by name where names are allowed.
void check_port(const json::Value& port, const FieldPath& path, Errors* errors);

}  // namespace lotse::schema
