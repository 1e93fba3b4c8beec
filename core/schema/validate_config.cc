// ConfigMap and Secret.
#include "core/base/ids.h"
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr size_t kSizeMax = 1024 * 1024;

void check_keys(const Value& data, std::string_view name, Errors* errors) {
  const FieldPath path(name);
  for (const auto& [key, value] : data.members()) errors->check(path.key(key), key, config_key(key));
}

// What was made immutable stays so, with its data.
void check_immutable(const Rules& r, std::initializer_list<std::string_view> parts) {
  if (!r.old || !(*r.old)["immutable"].boolean()) return;
  const std::string why = "field is immutable when `immutable` is set";
  if (!r.object["immutable"].boolean()) r.errors.forbidden(FieldPath("immutable"), why);
  for (std::string_view part : parts) {
    if (!(r.object[part] == (*r.old)[part])) r.errors.forbidden(FieldPath(part), why);
  }
}

size_t decoded_size(const Value& data) {
  size_t size = 0;
  for (const auto& [key, value] : data.members()) size += value.str().size() / 4 * 3;
  return size;
}

void check_json(const Value& data, std::string_view key, Errors* errors) {
  const FieldPath path("data");
  std::string bytes;
  if (!data.has(key)) return errors->required(path.key(key));
  if (!unbase64(data[key].str(), &bytes) || !json::parse(bytes).ok()) {
    errors->invalid(path.key(key), "<secret contents redacted>", "must be JSON");
  }
}

void check_secret_type(const Rules& r) {
  const std::string_view type = r.object["type"].str();
  const Value& data = r.object["data"];
  const FieldPath path("data"), metadata("metadata"), annotations = metadata.child("annotations");
  if (type == "kubernetes.io/service-account-token") {
    constexpr std::string_view kAccount = "kubernetes.io/service-account.name";
    if (r.object["metadata"]["annotations"][kAccount].str().empty()) r.errors.required(annotations.key(kAccount));
  } else if (type == "kubernetes.io/dockercfg") {
    check_json(data, ".dockercfg", &r.errors);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    check_json(data, ".dockerconfigjson", &r.errors);
  } else if (type == "kubernetes.io/basic-auth") {
    if (data.has("username") || data.has("password")) return;
    r.errors.required(path.key("username"));
    r.errors.required(path.key("password"));
  } else if (type == "kubernetes.io/ssh-auth") {
    if (data["ssh-privatekey"].str().empty()) r.errors.required(path.key("ssh-privatekey"));
  } else if (type == "kubernetes.io/tls") {
    for (std::string_view key : {"tls.crt", "tls.key"}) {
      if (!data.has(key)) r.errors.required(path.key(key));
    }
  }
}

}  // namespace

void validate_config_map(const Rules& r) {
  const Value &data = r.object["data"], &binary = r.object["binaryData"];
  const FieldPath path("data");
  check_keys(data, "data", &r.errors);
  check_keys(binary, "binaryData", &r.errors);
  size_t size = decoded_size(binary);
  for (const auto& [key, value] : data.members()) {
    size += value.str().size();
    if (binary.has(key)) r.errors.invalid(path.key(key), key, "duplicate of key present in binaryData");
  }
  if (size > kSizeMax) r.errors.too_long(FieldPath(), kSizeMax);
  check_immutable(r, {"data", "binaryData"});
}

void validate_secret(const Rules& r) {
  const Value& data = r.object["data"];
  check_keys(data, "data", &r.errors);
  if (decoded_size(data) > kSizeMax) r.errors.too_long(FieldPath("data"), kSizeMax);
  check_secret_type(r);
  check_immutable(r, {"data"});
  if (r.old) check_unchanged(r.object["type"], (*r.old)["type"], FieldPath("type"), &r.errors);
}

}  // namespace lotse::schema
