// NamespaceLifecycle: nothing new in a namespace that is missing or being deleted; the system's namespaces stay.
#include "core/api/admission.h"
#include "core/api/server_impl.h"

namespace lotse::api::admission {

Status namespace_lifecycle(Admission& a) {
  const Request& r = a.call.request;
  if (a.verb == Verb::kDelete) {
    const bool immortal = a.name == "default" || a.name == "kube-system" || a.name == "kube-public";
    if (a.is("", "namespaces") && immortal && !a.on_subresource()) return forbidden(a.call, a.name, "this namespace may not be deleted");
    return {};
  }
  if (a.verb != Verb::kCreate || !a.call.resource->namespaced || a.on_subresource() || a.call.resource->virtual_resource) return {};
  const ObjectPtr ns = a.call.server.find("", "namespaces", "", r.ns);
  if (!ns) return Status::not_found("", "namespaces", r.ns);
  if (ns->header().deletion == WallTime{} && ns->value()["status"]["phase"].str() != "Terminating") return {};
  Status status = forbidden(a.call, a.name, "unable to create new content in namespace " + r.ns + " because it is being terminated");
  status.causes.push_back({"metadata.namespace", "NamespaceTerminating", "namespace " + r.ns + " is being terminated"});
  return status;
}

}  // namespace lotse::api::admission
