// Deployment, ReplicaSet, ControllerRevision, PodDisruptionBudget, Scale.
#include <charconv>

#include "core/object/selector.h"
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

// A count or a percentage; the number either stands for, for comparing with zero and a hundred.
int64_t amount(const Value& v) {
  if (v.is_number()) return v.integer();
  int64_t n = 0;
  std::from_chars(v.str().data(), v.str().data() + v.str().size(), n);
  return n;
}

void check_count_or_percent(const Value& v, const FieldPath& path, Errors* errors) {
  if (v.is_string())
    errors->check(path, v.str(), percentage(v.str()));
  else
    check_not_negative(v, path, errors);
}

void check_selector_and_template(const Value& spec, const FieldPath& path, Errors* errors) {
  const FieldPath selector = path.child("selector"), tpl = path.child("template"), pod = tpl.child("spec"),
                  metadata = tpl.child("metadata");
  if (spec["selector"].is_null()) {
    errors->required(selector);
  } else {
    validate_label_selector(spec["selector"], selector, errors);
    if (spec["selector"]["matchLabels"].empty() && spec["selector"]["matchExpressions"].empty()) {
      errors->invalid(selector, spec["selector"], "an empty selector is not allowed here: it would select every pod");
    }
  }
  Labels labels;
  for (const auto& [key, value] : spec["template"]["metadata"]["labels"].members())
    labels.emplace_back(key, value.str());
  auto parsed = LabelSelector::from_value(spec["selector"]);
  if (!spec["selector"].is_null() && parsed.ok() && !parsed->empty() && !parsed->matches(labels)) {
    const Value& shown = spec["template"]["metadata"]["labels"];
    errors->invalid(metadata.child("labels"), shown, "`selector` does not match template `labels`");
  }
  validate_pod_template(spec["template"], tpl, errors);
  const std::string_view restart = spec["template"]["spec"]["restartPolicy"].str();
  if (!restart.empty() && restart != "Always") errors->not_supported(pod.child("restartPolicy"), restart, {"Always"});
  if (!spec["template"]["spec"]["activeDeadlineSeconds"].is_null()) {
    errors->forbidden(pod.child("activeDeadlineSeconds"), "activeDeadlineSeconds in ReplicaSet is not Supported");
  }
}

void check_strategy(const Value& strategy, const FieldPath& path, Errors* errors) {
  const Value& rolling = strategy["rollingUpdate"];
  const FieldPath at = path.child("rollingUpdate"), unavailable = at.child("maxUnavailable");
  if (strategy["type"].str() == "Recreate") {
    if (!rolling.is_null()) errors->forbidden(at, "may not be specified when strategy `type` is 'Recreate'");
    return;
  }
  if (strategy["type"].str() != "RollingUpdate") return;
  check_count_or_percent(rolling["maxUnavailable"], unavailable, errors);
  check_count_or_percent(rolling["maxSurge"], at.child("maxSurge"), errors);
  if (amount(rolling["maxUnavailable"]) == 0 && amount(rolling["maxSurge"]) == 0) {
    errors->invalid(unavailable, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0");
  }
  if (rolling["maxUnavailable"].is_string() && amount(rolling["maxUnavailable"]) > 100) {
    errors->invalid(unavailable, rolling["maxUnavailable"], "must not be greater than 100%");
  }
}

void check_counts(const Value& status, std::initializer_list<std::string_view> keys, Errors* errors) {
  const FieldPath path("status");
  for (std::string_view key : keys) {
    check_not_negative(status[key], path.child(key), errors);
    const bool counts_pods =
        key != "replicas" && key != "observedGeneration" && key != "collisionCount" && key != "unavailableReplicas";
    if (counts_pods && status[key].is_number() && status[key].integer() > status["replicas"].integer()) {
      errors->invalid(path.child(key), status[key], "cannot be greater than status.replicas");
    }
  }
  if (status["availableReplicas"].integer() > status["readyReplicas"].integer()) {
    errors->invalid(path.child("availableReplicas"), status["availableReplicas"],
                    "cannot be greater than readyReplicas");
  }
}

}  // namespace

void validate_deployment(const Rules& r) {
  if (r.operation == Operation::kUpdateStatus) {
    return check_counts(r.object["status"],
                        {"replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
                         "observedGeneration", "collisionCount"},
                        &r.errors);
  }
  const Value& spec = r.object["spec"];
  const FieldPath path("spec");
  for (std::string_view key : {"replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"}) {
    check_not_negative(spec[key], path.child(key), &r.errors);
  }
  const Value& deadline = spec["progressDeadlineSeconds"];
  if (deadline.is_number() && deadline.integer() <= spec["minReadySeconds"].integer()) {
    r.errors.invalid(path.child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds");
  }
  check_strategy(spec["strategy"], path.child("strategy"), &r.errors);
  check_selector_and_template(spec, path, &r.errors);
  if (r.old) check_unchanged(spec["selector"], (*r.old)["spec"]["selector"], path.child("selector"), &r.errors);
}

void validate_replica_set(const Rules& r) {
  if (r.operation == Operation::kUpdateStatus) {
    return check_counts(
        r.object["status"],
        {"replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"}, &r.errors);
  }
  const Value& spec = r.object["spec"];
  const FieldPath path("spec");
  check_not_negative(spec["replicas"], path.child("replicas"), &r.errors);
  check_not_negative(spec["minReadySeconds"], path.child("minReadySeconds"), &r.errors);
  check_selector_and_template(spec, path, &r.errors);
  if (r.old) check_unchanged(spec["selector"], (*r.old)["spec"]["selector"], path.child("selector"), &r.errors);
}

void validate_controller_revision(const Rules& r) {
  check_not_negative(r.object["revision"], FieldPath("revision"), &r.errors);
  if (r.object["data"].is_null()) r.errors.required(FieldPath("data"), "data is mandatory");
  if (r.old) check_unchanged(r.object["data"], (*r.old)["data"], FieldPath("data"), &r.errors);
}

void validate_disruption_budget(const Rules& r) {
  const FieldPath path("spec"), status("status");
  if (r.operation == Operation::kUpdateStatus) {
    for (std::string_view key : {"currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"}) {
      check_not_negative(r.object["status"][key], status.child(key), &r.errors);
    }
    return;
  }
  const Value& spec = r.object["spec"];
  if (!spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null()) {
    r.errors.invalid(path, spec, "minAvailable and maxUnavailable cannot be both set");
  }
  for (std::string_view key : {"minAvailable", "maxUnavailable"}) {
    if (spec[key].is_null()) continue;
    const FieldPath at = path.child(key);
    check_count_or_percent(spec[key], at, &r.errors);
    if (spec[key].is_string() && amount(spec[key]) > 100)
      r.errors.invalid(at, spec[key], "must not be greater than 100%");
  }
  validate_label_selector(spec["selector"], path.child("selector"), &r.errors);
}

void validate_scale(const Rules& r) {
  const FieldPath spec("spec");
  check_not_negative(r.object["spec"]["replicas"], spec.child("replicas"), &r.errors);
}

}  // namespace lotse::schema
