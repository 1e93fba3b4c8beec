// Admission: what changes or refuses an object that its author may write. Each plugin of upstream that is on by default and
// whose kinds exist has a file in admission/. mutate runs before defaults are completed and the object is validated, validate after.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

struct Admission {
  Call& call;
  Verb verb;                          // kCreate, kUpdate (patches too), kDelete, kConnect
  std::string_view name;
  json::Value* object = nullptr;      // null on delete
  const json::Value* old = nullptr;   // null on create
  bool is(std::string_view group, std::string_view resource) const {
    return call.resource->resource == resource && call.resource->group == group;
  }
  bool on_subresource() const { return !call.request.subresource.empty(); }
};

Status mutate(Admission& a);
Status validate(Admission& a);

// NodeRestriction for serviceaccounts/token.
Status restrict_node_token(const Call& call, const json::Value& bound_object);

namespace admission {
Status namespace_lifecycle(Admission& a);       // validate
Status service_account(Admission& a);           // mutate
Status default_toleration_seconds(Admission& a);// mutate
Status taint_nodes_by_condition(Admission& a);  // mutate
Status priority(Admission& a);                  // mutate
Status limit_ranger_defaults(Admission& a);     // mutate
Status limit_ranger(Admission& a);              // validate
Status node_restriction(Admission& a);          // validate
Status rbac_escalation(Admission& a);           // validate
}  // namespace admission

}  // namespace lotse::api
