// TaintNodesByCondition: a new node takes no pods until it has reported that it is ready.
#include "core/api/admission.h"

namespace lotse::api::admission {

Status taint_nodes_by_condition(Admission& a) {
  if (a.verb != Verb::kCreate || !a.is("", "nodes") || a.on_subresource()) return {};
  constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
  json::Value& spec = (*a.object)["spec"];
  for (const auto& t : std::as_const(spec)["taints"].items()) {
    if (t["key"].str() == kNotReady && t["effect"].str() == "NoSchedule") return {};
  }
  spec["taints"].push(json::Value::object({{"key", kNotReady}, {"effect", "NoSchedule"}}));
  return {};
}

}  // namespace lotse::api::admission
