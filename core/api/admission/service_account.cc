// ServiceAccount: a pod runs as the namespace's default account if it names none, and gets that account's token, the cluster's
// CA and its namespace mounted, unless account or pod decline.
#include "core/api/admission.h"
#include "core/api/server_impl.h"
#include "core/base/ids.h"

namespace lotse::api::admission {
namespace {

constexpr std::string_view kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr int64_t kTokenSeconds = 3607;  // an hour, and the seconds by which upstream knows its own tokens

json::Value token_volume(const std::string& name) {
  using json::Value;
  Value token = Value::object({{"serviceAccountToken", Value::object({{"expirationSeconds", kTokenSeconds}, {"path", "token"}})}});
  Value item = Value::object({{"key", "ca.crt"}, {"path", "ca.crt"}});
  Value ca = Value::object({{"configMap", Value::object({{"name", "kube-root-ca.crt"}, {"items", Value::array({item})}})}});
  Value field = Value::object({{"path", "namespace"}, {"fieldRef", Value::object({{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}})}});
  Value ns = Value::object({{"downwardAPI", Value::object({{"items", Value::array({field})}})}});
  Value projected = Value::object({{"defaultMode", 420}, {"sources", Value::array({token, ca, ns})}});
  return Value::object({{"name", name}, {"projected", projected}});
}

bool has_mount(const json::Value& container) {
  for (const auto& m : container["volumeMounts"].items()) {
    if (m["mountPath"].str() == kMountPath) return true;
  }
  return false;
}

// Mounts the token where a container does not mount something else there; whether any was.
bool mount(json::Value& spec, std::string_view list, const std::string& volume) {
  json::Value* containers = spec.find(list);
  if (!containers || !containers->is_array()) return false;
  bool any = false;
  for (auto& c : containers->array_items()) {
    if (has_mount(c)) continue;
    c["volumeMounts"].push(json::Value::object({{"name", volume}, {"mountPath", kMountPath}, {"readOnly", true}}));
    any = true;
  }
  return any;
}

bool wants_token(const json::Value& spec, const json::Value& account) {
  if (spec["automountServiceAccountToken"].is_bool()) return spec["automountServiceAccountToken"].boolean();
  return account["automountServiceAccountToken"].boolean(true);
}

std::string volume_name(const json::Value& spec) {
  while (true) {
    std::string name = "kube-api-access-" + make_suffix();
    const auto& volumes = spec["volumes"].items();
    if (std::none_of(volumes.begin(), volumes.end(), [&](const json::Value& v) { return v["name"].str() == name; })) return name;
  }
}

}  // namespace

Status service_account(Admission& a) {
  if (a.verb != Verb::kCreate || !a.is("", "pods") || a.on_subresource()) return {};
  json::Value& pod = *a.object;
  if (std::as_const(pod)["metadata"]["annotations"].has(kMirror)) {
    if (!std::as_const(pod)["spec"]["serviceAccountName"].str().empty()) {
      return forbidden(a.call, a.name, "a mirror pod may not reference service accounts");
    }
    return {};
  }
  json::Value& spec = pod["spec"];
  if (std::as_const(spec)["serviceAccountName"].str().empty()) spec.set("serviceAccountName", "default");
  const std::string name(std::as_const(spec)["serviceAccountName"].str());
  spec.set("serviceAccount", name);
  const ObjectPtr found = a.call.server.find("", "serviceaccounts", a.call.request.ns, name);
  if (!found) {
    return forbidden(a.call, a.name, "error looking up service account " + a.call.request.ns + "/" + name +
                                         ": serviceaccount \"" + name + "\" not found");
  }
  const json::Value account = found->value();
  if (std::as_const(spec)["imagePullSecrets"].empty() && !account["imagePullSecrets"].empty()) {
    spec.set("imagePullSecrets", account["imagePullSecrets"]);
  }
  if (!wants_token(spec, account)) return {};
  const std::string volume = volume_name(spec);
  const bool init = mount(spec, "initContainers", volume);
  if (mount(spec, "containers", volume) || init) spec["volumes"].push(token_volume(volume));
  return {};
}

}  // namespace lotse::api::admission
