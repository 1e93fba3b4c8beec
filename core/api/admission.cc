#include "core/api/admission.h"

namespace lotse::api {

Status mutate(Admission& a) {
  // Whether the namespace takes anything at all comes first, so that a missing one is not told as a missing service account.
  LOTSE_CHECK_OK(admission::namespace_lifecycle(a));
  if (a.verb == Verb::kDelete) return {};
  LOTSE_CHECK_OK(admission::limit_ranger_defaults(a));
  LOTSE_CHECK_OK(admission::service_account(a));
  LOTSE_CHECK_OK(admission::taint_nodes_by_condition(a));
  LOTSE_CHECK_OK(admission::priority(a));
  return admission::default_toleration_seconds(a);
}

Status validate(Admission& a) {
  LOTSE_CHECK_OK(admission::limit_ranger(a));
  LOTSE_CHECK_OK(admission::node_restriction(a));
  return admission::rbac_escalation(a);
}

}  // namespace lotse::api
