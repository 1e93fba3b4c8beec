// What may change in a pod: images, a shorter deadline, more tolerations, fewer scheduling gates; by the subresources
// also resources and ephemeral containers. All else is fixed when the pod is made.
#include "core/object/quantity.h"
#include "core/schema/qos.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_count(const Value& now, const Value& before, std::string_view key, Errors* errors) {
  const FieldPath spec("spec");
  if (now[key].size() != before[key].size()) {
    errors->forbidden(spec.child(key), "pod updates may not add or remove containers");
  }
}

void check_deadline(const Value& now, const Value& before, Errors* errors) {
  const FieldPath spec("spec"), path = spec.child("activeDeadlineSeconds");
  if (before.is_null()) return;
  if (now.is_null())
    errors->invalid(path, now, "must not update from a positive integer to nil value");
  else if (now.integer() > before.integer())
    errors->invalid(path, now, "must be less than or equal to previous value");
}

void check_tolerations(const Value& now, const Value& before, Errors* errors) {
  const auto without_seconds = [](Value t) {
    t.erase("tolerationSeconds");
    return t;
  };
  for (const Value& old : before.items()) {
    const bool kept = std::any_of(now.items().begin(), now.items().end(),
                                  [&](const Value& t) { return without_seconds(t) == without_seconds(old); });
    if (kept) continue;
    const FieldPath spec("spec");
    return errors->forbidden(spec.child("tolerations"),
                             "existing toleration can not be modified except its tolerationSeconds");
  }
}

void check_gates(const Value& now, const Value& before, Errors* errors) {
  const FieldPath spec("spec");
  for (const Value& gate : now.items()) {
    if (std::find(before.items().begin(), before.items().end(), gate) != before.items().end()) continue;
    errors->forbidden(spec.child("schedulingGates"), "only deletion is allowed, but found new scheduling gate '" +
                                                         std::string(gate["name"].str()) + "'");
  }
}

// The spec with everything that may change set as it was.
Value with_changes_undone(Value now, const Value& before) {
  for (std::string_view list : {"containers", "initContainers"}) {
    if (!now.has(list)) continue;
    for (size_t i = 0; i < now[list].size(); ++i) {
      if (const Value* image = before[list].at(i).find("image")) now[list].array_items()[i].set("image", *image);
    }
  }
  const bool was_gated = !before["schedulingGates"].empty();
  for (std::string_view key : {"activeDeadlineSeconds", "tolerations", "schedulingGates", "nodeSelector", "affinity"}) {
    if (!was_gated && (key == "nodeSelector" || key == "affinity"))
      continue;  // they may be narrowed while a gate holds
    if (const Value* v = before.find(key))
      now.set(key, *v);
    else
      now.erase(key);
  }
  if (before["terminationGracePeriodSeconds"].integer() < 0 &&
      std::as_const(now)["terminationGracePeriodSeconds"].integer() == 1) {
    now.set("terminationGracePeriodSeconds", before["terminationGracePeriodSeconds"]);
  }
  return now;
}

void check_ephemeral(const Value& now, const Value& before, Errors* errors) {
  const FieldPath spec("spec"), path = spec.child("ephemeralContainers");
  for (const Value& old : before.items()) {
    const auto same =
        std::find_if(now.items().begin(), now.items().end(), [&](const Value& c) { return c["name"] == old["name"]; });
    const std::string name = "existing ephemeral containers \"" + std::string(old["name"].str()) + "\" may not be ";
    if (same == now.items().end())
      errors->forbidden(path, name + "removed");
    else if (!(*same == old))
      errors->forbidden(path, name + "changed");
  }
}

}  // namespace

void validate_pod_update(const Rules& r) {
  const FieldPath path("spec");
  const Value &now = r.object["spec"], &before = (*r.old)["spec"];
  if (r.operation == Operation::kUpdateStatus) return;
  if (r.operation == Operation::kEphemeralContainers) {
    return check_ephemeral(now["ephemeralContainers"], before["ephemeralContainers"], &r.errors);
  }
  if (r.operation == Operation::kResize) {
    if (qos_class(r.object) != qos_class(*r.old)) {
      r.errors.invalid(path, std::string(qos_class(r.object)), "Pod QOS Class may not change as a result of resizing");
    }
    return;
  }
  const size_t errors = r.errors.count();
  check_count(now, before, "containers", &r.errors);
  check_count(now, before, "initContainers", &r.errors);
  if (r.errors.count() != errors) return;
  check_deadline(now["activeDeadlineSeconds"], before["activeDeadlineSeconds"], &r.errors);
  check_tolerations(now["tolerations"], before["tolerations"], &r.errors);
  check_gates(now["schedulingGates"], before["schedulingGates"], &r.errors);
  if (!(with_changes_undone(now, before) == before)) {
    r.errors.forbidden(
        path,
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
  }
}

}  // namespace lotse::schema
