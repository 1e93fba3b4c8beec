// Priority: a pod's priority is that of its class; without one, of the default class, else 0.
#include "core/api/admission.h"
#include "core/api/server_impl.h"

namespace lotse::api::admission {
namespace {

constexpr std::string_view kGroup = "scheduling.k8s.io";

// Of several default classes the lowest counts, as upstream has it.
ObjectPtr default_class(ServerImpl& server) {
  const auto page = server.store().list({stored_name(kGroup, "priorityclasses")});
  ObjectPtr found;
  int64_t lowest = 0;
  if (!page.ok()) return found;
  for (const auto& object : page->items) {
    const json::Value c = object->value();
    if (!c["globalDefault"].boolean() || (found && c["value"].integer() >= lowest)) continue;
    found = object;
    lowest = c["value"].integer();
  }
  return found;
}

Status pod_priority(Admission& a) {
  json::Value& spec = (*a.object)["spec"];
  const std::string wanted(std::as_const(spec)["priorityClassName"].str());
  ObjectPtr found = wanted.empty() ? default_class(a.call.server) : a.call.server.find(kGroup, "priorityclasses", "", wanted);
  if (!found && !wanted.empty()) return forbidden(a.call, a.name, "no PriorityClass with name " + wanted + " was found");
  const json::Value c = found ? found->value() : json::Value();
  const int64_t value = c["value"].integer();
  if (found) spec.set("priorityClassName", found->header().name);
  if (std::as_const(spec)["priority"].is_integer() && std::as_const(spec)["priority"].integer() != value) {
    return forbidden(a.call, a.name, "the integer value of priority (" + std::to_string(std::as_const(spec)["priority"].integer()) +
                                         ") must not be provided in pod spec; priority admission controller computed " +
                                         std::to_string(value) + " from the given PriorityClass name");
  }
  spec.set("priority", value);
  const std::string policy(c["preemptionPolicy"].str("PreemptLowerPriority"));
  if (std::as_const(spec)["preemptionPolicy"].is_string() && std::as_const(spec)["preemptionPolicy"].str() != policy) {
    return forbidden(a.call, a.name, "the string value of PreemptionPolicy (" + std::string(std::as_const(spec)["preemptionPolicy"].str()) +
                                         ") must not be provided in pod spec; priority admission controller computed " + policy +
                                         " from the given PriorityClass name");
  }
  spec.set("preemptionPolicy", policy);
  return {};
}

}  // namespace

Status priority(Admission& a) {
  if (a.on_subresource()) return {};
  if (a.is("", "pods") && a.verb == Verb::kCreate) return pod_priority(a);
  if (!a.is(kGroup, "priorityclasses") || !std::as_const(*a.object)["globalDefault"].boolean()) return {};
  const ObjectPtr other = default_class(a.call.server);
  if (!other || other->header().name == a.name) return {};
  return forbidden(a.call, a.name, "PriorityClass " + other->header().name + " is already marked as default. Only one default can exist");
}

}  // namespace lotse::api::admission
