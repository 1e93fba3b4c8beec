#include "core/agent/references.h"

namespace lotse::agent {
namespace {

void add(std::set<RefKey>* out, RefKind kind, const json::Value& name) {
  if (!name.str().empty()) out->insert({kind, std::string(name.str())});
}

void of_container(const json::Value& c, std::set<RefKey>* out) {
  for (const auto& from : c["envFrom"].items()) {
    add(out, RefKind::kConfigMap, from["configMapRef"]["name"]);
    add(out, RefKind::kSecret, from["secretRef"]["name"]);
  }
  for (const auto& e : c["env"].items()) {
    add(out, RefKind::kConfigMap, e["valueFrom"]["configMapKeyRef"]["name"]);
    add(out, RefKind::kSecret, e["valueFrom"]["secretKeyRef"]["name"]);
  }
}

}  // namespace

std::set<RefKey> references_of(const json::Value& pod) {
  std::set<RefKey> out;
  const auto& spec = pod["spec"];
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
    for (const auto& c : spec[list].items()) of_container(c, &out);
  }
  for (const auto& v : spec["volumes"].items()) {
    add(&out, RefKind::kConfigMap, v["configMap"]["name"]);
    add(&out, RefKind::kSecret, v["secret"]["secretName"]);
    for (const auto& s : v["projected"]["sources"].items()) {
      add(&out, RefKind::kConfigMap, s["configMap"]["name"]);
      add(&out, RefKind::kSecret, s["secret"]["name"]);
    }
  }
  for (const auto& s : spec["imagePullSecrets"].items()) add(&out, RefKind::kSecret, s["name"]);
  return out;
}

}  // namespace lotse::agent
