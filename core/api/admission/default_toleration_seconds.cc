// DefaultTolerationSeconds: a pod bears a node that is not ready or not reachable for five minutes, unless it says otherwise.
#include "core/api/admission.h"

namespace lotse::api::admission {
namespace {

bool tolerates(const json::Value& toleration, std::string_view key) {
  const std::string_view own = toleration["key"].str(), effect = toleration["effect"].str();
  return (own == key || own.empty()) && (effect == "NoExecute" || effect.empty());
}

}  // namespace

Status default_toleration_seconds(Admission& a) {
  if (!a.is("", "pods") || a.on_subresource() || a.verb == Verb::kConnect) return {};
  json::Value& spec = (*a.object)["spec"];
  for (const std::string_view key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    const auto& all = std::as_const(spec)["tolerations"].items();
    if (std::any_of(all.begin(), all.end(), [&](const json::Value& t) { return tolerates(t, key); })) continue;
    spec["tolerations"].push(json::Value::object(
        {{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}}));
  }
  return {};
}

}  // namespace lotse::api::admission
