#include <charconv>

#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/managed_fields.h"
#include "core/api/revision.h"
#include "core/api/server_impl.h"
#include "core/api/update_rules.h"
#include "core/api/verbs.h"

namespace lotse::api {

bool creates_on_update(std::string_view stored) {
  constexpr std::string_view kKinds[] = {"endpoints", "events", "limitranges", "services", "leases.coordination.k8s.io",
                                         "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io",
                                         "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"};
  return std::find(std::begin(kKinds), std::end(kKinds), stored) != std::end(kKinds);
}

bool needs_revision(std::string_view stored) {
  constexpr std::string_view kKinds[] = {"leases.coordination.k8s.io", "poddisruptionbudgets.policy",
                                         "customresourcedefinitions.apiextensions.k8s.io"};
  return std::find(std::begin(kKinds), std::end(kKinds), stored) != std::end(kKinds);
}

Status check_preconditions(const Call& call, const json::Value& metadata, const ObjectPtr& current) {
  const std::string_view uid = metadata["uid"].str();
  const std::string& name = current->header().name;
  const auto conflict = [&](const std::string& why) {
    return Status::conflict(call.resource->group, call.resource->resource, name, why);
  };
  if (!uid.empty() && uid != current->header().uid) {
    return conflict("Precondition failed: UID in precondition: " + std::string(uid) + ", UID in object meta: " + current->header().uid);
  }
  LOTSE_TRY(const uint64_t revision, parse_revision(metadata["resourceVersion"].str()));
  if (revision == 0 || revision == current->revision()) return {};
  return conflict("the object has been modified; please apply your changes to the latest version and try again");
}

void update(const CallPtr& call) {
  // Decoded once; defaults may look at what is stored, which a retry without precondition may find changed.
  std::vector<std::string> duplicates;
  auto body = decode(*call, &duplicates);
  if (!body.ok()) return call->fail(body.status());
  const json::Value& metadata = std::as_const(*body)["metadata"];
  const std::string_view name = metadata["name"].str();
  if (!name.empty() && name != call->request.name) {
    return call->fail({Reason::kBadRequest, "the name of the object (" + std::string(name) + ") does not match the name on the URL (" +
                                                call->request.name + ")"});
  }
  const bool unconditional = metadata["resourceVersion"].str().empty();
  if (unconditional && needs_revision(call->stored()) && call->request.subresource.empty() && call->server.store().exists(call->key())) {
    return call->fail(invalid(*call, call->request.name,
                              {{"metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update"}}));
  }
  auto how = [body = *std::move(body), duplicates](Call& c, const ObjectPtr& current, const json::Value& old) -> Result<json::Value> {
    json::Value object = body;
    c.warnings.clear();
    LOTSE_CHECK_OK(take_object(c, &object, &old, duplicates));
    LOTSE_CHECK_OK(check_preconditions(c, std::as_const(object)["metadata"], current));
    track_fields(c, &object, &old);
    return object;
  };
  change(call, call->key(), unconditional, std::move(how), [call](Result<ObjectPtr> r) {
    if (r.ok()) return call->give(200, *r);
    const bool absent = r.status().reason == Reason::kNotFound;
    if (absent && call->request.subresource.empty() && creates_on_update(call->stored())) {
      if (auto s = may_create(*call); !s.ok()) return call->fail(std::move(s));
      return create(call);
    }
    call->fail(r.status());
  });
}

}  // namespace lotse::api
