// namespaces/finalize: sets spec.finalizers and nothing else; a namespace that is being deleted goes with the last one.
#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/edit.h"
#include "core/api/update_rules.h"
#include "core/api/verbs.h"

namespace lotse::api {

void finalize_namespace(const CallPtr& call) {
  auto body = read_body(*call, "Namespace");
  if (!body.ok()) return call->fail(body.status());
  const auto how = [call, body = *body](const ObjectPtr& current) -> Result<Edit> {
    LOTSE_CHECK_OK(check_preconditions(*call, body["metadata"], current));
    json::Value ns = current->whole();
    ns["spec"].set("finalizers", body["spec"]["finalizers"].is_array() ? body["spec"]["finalizers"] : json::Value::array());
    if (released(std::as_const(ns))) return Edit{Edit::What::kRemove, {}};
    return Edit{Edit::What::kPut, std::move(ns)};
  };
  edit(call, call->key(), how, [call](Result<Edited> r) { r.ok() ? call->give(200, r->object) : call->fail(r.status()); });
}

}  // namespace lotse::api
