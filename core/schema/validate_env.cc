#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr std::string_view kFieldPaths[] = {
    "metadata.annotations", "metadata.labels",         "metadata.name", "metadata.namespace", "metadata.uid",
    "spec.nodeName",        "spec.serviceAccountName", "status.hostIP", "status.hostIPs",     "status.podIP",
    "status.podIPs"};
constexpr std::string_view kResources[] = {"limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
                                           "requests.cpu", "requests.ephemeral-storage", "requests.memory"};

void check_field_ref(const Value& ref, const FieldPath& path, Errors* errors) {
  std::string_view field = ref["fieldPath"].str();
  if (ref["apiVersion"].str() != "v1") errors->invalid(path.child("apiVersion"), ref["apiVersion"].str(), "must be v1");
  if (field.empty()) return;  // the table requires it
  const size_t bracket = field.find('[');
  const bool subscript = bracket != field.npos;
  if (subscript) {
    const std::string_view map = field.substr(0, bracket), key = field.substr(bracket);
    const bool form = key.size() > 4 && key.starts_with("['") && key.ends_with("']");
    if (!form || (map != "metadata.labels" && map != "metadata.annotations")) {
      errors->invalid(path.child("fieldPath"), field, "error converting fieldPath: it does not support subscript");
    } else {
      errors->check(path.child("fieldPath"), key.substr(2, key.size() - 4),
                    qualified_name(key.substr(2, key.size() - 4)));
    }
    return;
  }
  std::vector<std::string_view> supported(std::begin(kFieldPaths) + 2, std::end(kFieldPaths));
  if (std::find(supported.begin(), supported.end(), field) == supported.end())
    errors->not_supported(path.child("fieldPath"), field, supported);
}

void check_resource_ref(const Value& ref, const FieldPath& path, Errors* errors) {
  const std::string_view resource = ref["resource"].str();
  if (resource.empty()) return;
  const std::vector<std::string_view> supported(std::begin(kResources), std::end(kResources));
  const bool huge = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
  if (!huge && std::find(supported.begin(), supported.end(), resource) == supported.end()) {
    errors->not_supported(path.child("resource"), resource, supported);
  }
}

void check_key_ref(const Value& ref, const FieldPath& path, Errors* errors) {
  if (ref["name"].str().empty()) errors->required(path.child("name"));
  if (const std::string_view key = ref["key"].str(); !key.empty())
    errors->check(path.child("key"), key, config_key(key));
}

void validate_source(const Value& variable, const FieldPath& path, Errors* errors) {
  const Value& from = variable["valueFrom"];
  size_t sources = 0;
  const auto source = [&](std::string_view name, void (*check)(const Value&, const FieldPath&, Errors*)) {
    if (from[name].is_null()) return;
    ++sources;
    check(from[name], path.child(name), errors);
  };
  source("fieldRef", check_field_ref);
  source("resourceFieldRef", check_resource_ref);
  source("configMapKeyRef", check_key_ref);
  source("secretKeyRef", check_key_ref);
  source("fileKeyRef", [](const Value&, const FieldPath&, Errors*) {});
  if (sources == 0)
    errors->invalid(
        path, "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`");
  else if (!variable["value"].str().empty())
    errors->invalid(path, "", "may not be specified when `value` is not empty");
  else if (sources > 1)
    errors->invalid(path, "", "may not have more than one field specified at a time");
}

}  // namespace

void validate_env(const Value& container, const FieldPath& path, Errors* errors) {
  const FieldPath env = path.child("env"), from = path.child("envFrom");
  for (size_t i = 0; i < container["env"].size(); ++i) {
    const Value& variable = container["env"].at(i);
    const FieldPath at = env.index(i);
    if (const std::string_view name = variable["name"].str(); !name.empty())
      errors->check(at.child("name"), name, env_name(name));
    if (!variable["valueFrom"].is_null()) validate_source(variable, at.child("valueFrom"), errors);
  }
  for (size_t i = 0; i < container["envFrom"].size(); ++i) {
    const Value& source = container["envFrom"].at(i);
    const FieldPath at = from.index(i);
    if (const std::string_view prefix = source["prefix"].str(); !prefix.empty())
      errors->check(at.child("prefix"), prefix, env_name(prefix));
    const bool config = !source["configMapRef"].is_null(), secret = !source["secretRef"].is_null();
    if (!config && !secret) errors->invalid(at, "", "must specify one of: `configMapRef` or `secretRef`");
    if (config && secret) errors->invalid(at, "", "may not have more than one field specified at a time");
    const FieldPath config_ref = at.child("configMapRef"), secret_ref = at.child("secretRef");
    if (config && source["configMapRef"]["name"].str().empty()) errors->required(config_ref.child("name"));
    if (secret && source["secretRef"]["name"].str().empty()) errors->required(secret_ref.child("name"));
  }
}

}  // namespace lotse::schema
