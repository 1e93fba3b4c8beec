// Namespace, Node, Event, Lease, PriorityClass.
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_taints(const Value& taints, const FieldPath& path, Errors* errors) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (size_t i = 0; i < taints.size(); ++i) {
    const Value& t = taints.at(i);
    const FieldPath at = path.index(i);
    const std::string_view key = t["key"].str(), value = t["value"].str(), effect = t["effect"].str();
    if (!key.empty()) errors->check(at.child("key"), key, qualified_name(key));
    if (!value.empty()) errors->check(at.child("value"), value, label_value(value));
    if (effect.empty()) errors->required(at.child("effect"));
    if (!seen.insert({key, effect}).second) errors->duplicate(at, t);
  }
}

void check_once_set(const Value& now, const Value& before, const FieldPath& path, Errors* errors) {
  if (!before.is_null() && !before.str().empty() && !(now == before))
    errors->forbidden(path, "node updates may not change it once it is set");
}

constexpr int64_t kPriorityMax = 1'000'000'000;

struct SystemClass {
  std::string_view name;
  int64_t value;
};
constexpr SystemClass kSystemClasses[] = {{"system-cluster-critical", 2'000'000'000},
                                          {"system-node-critical", 2'000'001'000}};

void check_text(const Rules& r, std::string_view key, size_t max, bool required) {
  const std::string_view text = r.object[key].str();
  if (text.empty() && required)
    r.errors.required(FieldPath(key));
  else if (text.size() > max)
    r.errors.invalid(FieldPath(key), "", "can have at most " + std::to_string(max) + " characters");
}

}  // namespace

void validate_namespace(const Rules& r) {
  const FieldPath spec("spec"), finalizers = spec.child("finalizers"), status("status");
  for (size_t i = 0; i < r.object["spec"]["finalizers"].size(); ++i) {
    const std::string_view name = r.object["spec"]["finalizers"].at(i).str();
    r.errors.check(finalizers.index(i), name, qualified_name(name));
    if (name.find('/') == name.npos && name != "kubernetes")
      r.errors.invalid(finalizers.index(i), name, "must be kubernetes or have a domain");
  }
  if (r.operation != Operation::kUpdateStatus) return;
  const bool deleted = !r.object["metadata"]["deletionTimestamp"].is_null();
  const std::string_view phase = r.object["status"]["phase"].str();
  if (deleted && phase != "Terminating")
    r.errors.invalid(status.child("phase"), phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
  if (!deleted && phase != "Active")
    r.errors.invalid(status.child("phase"), phase, "may only be 'Active' if `deletionTimestamp` is empty");
}

void validate_node(const Rules& r) {
  const FieldPath spec("spec"), status("status"), cidrs = spec.child("podCIDRs"), addresses = status.child("addresses");
  const Value& now = r.object["spec"];
  check_taints(now["taints"], spec.child("taints"), &r.errors);
  for (size_t i = 0; i < now["podCIDRs"].size(); ++i) {
    r.errors.check(cidrs.index(i), now["podCIDRs"].at(i).str(), ip_prefix(now["podCIDRs"].at(i).str()));
  }
  if (now["podCIDRs"].size() > 2)
    r.errors.invalid(cidrs, now["podCIDRs"], "may specify no more than one CIDR for each IP family");
  validate_quantities(r.object["status"]["capacity"], status.child("capacity"), &r.errors);
  validate_quantities(r.object["status"]["allocatable"], status.child("allocatable"), &r.errors);
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (size_t i = 0; i < r.object["status"]["addresses"].size(); ++i) {
    const Value& a = r.object["status"]["addresses"].at(i);
    if (!seen.insert({a["type"].str(), a["address"].str()}).second) r.errors.duplicate(addresses.index(i), a);
  }
  if (!r.old) return;
  const Value& before = (*r.old)["spec"];
  check_once_set(now["podCIDR"], before["podCIDR"], spec.child("podCIDR"), &r.errors);
  check_once_set(now["providerID"], before["providerID"], spec.child("providerID"), &r.errors);
}

void validate_event(const Rules& r) {
  const bool core = r.object.has("involvedObject") || r.resource.group.empty();
  const Value& about = r.object[core ? "involvedObject" : "regarding"];
  const std::string_view ns = about["namespace"].str(), own = r.object["metadata"]["namespace"].str();
  const FieldPath path(core ? "involvedObject" : "regarding");
  if (ns.empty() ? own != "default" && own != "kube-system" : ns != own) {
    r.errors.invalid(path.child("namespace"), ns, "does not match event.namespace");
  }
  if (core) return;
  if (r.object["eventTime"].is_null() && !r.old) r.errors.required(FieldPath("eventTime"));
  const std::string_view type = r.object["type"].str();
  if (!r.old || !r.object["eventTime"].is_null()) {
    check_text(r, "reportingController", 128, true);
    if (const std::string_view c = r.object["reportingController"].str(); !c.empty())
      r.errors.check(FieldPath("reportingController"), c, qualified_name(c));
    check_text(r, "reportingInstance", 128, true);
    check_text(r, "action", 128, true);
    check_text(r, "reason", 128, true);
    check_text(r, "note", 1024, false);
    if (type != "Normal" && type != "Warning") r.errors.invalid(FieldPath("type"), type, "has to be Normal or Warning");
  }
}

void validate_lease(const Rules& r) {
  const FieldPath spec("spec");
  const Value& s = r.object["spec"];
  if (s["leaseDurationSeconds"].is_number() && s["leaseDurationSeconds"].integer() <= 0) {
    r.errors.invalid(spec.child("leaseDurationSeconds"), s["leaseDurationSeconds"], "must be greater than 0");
  }
  check_not_negative(s["leaseTransitions"], spec.child("leaseTransitions"), &r.errors);
}

void validate_priority_class(const Rules& r) {
  const std::string_view name = r.object["metadata"]["name"].str();
  const int64_t value = r.object["value"].integer();
  const FieldPath metadata("metadata");
  if (name.starts_with("system-")) {
    const bool known = std::any_of(std::begin(kSystemClasses), std::end(kSystemClasses),
                                   [&](auto& c) { return c.name == name && c.value == value; });
    if (!known)
      r.errors.forbidden(metadata.child("name"),
                         "priority class names with 'system-' prefix are reserved for system use only");
  } else if (value > kPriorityMax) {
    r.errors.forbidden(FieldPath("value"),
                       "maximum allowed value of a user defined priority is " + std::to_string(kPriorityMax));
  }
  if (!r.old) return;
  if (value != (*r.old)["value"].integer()) r.errors.forbidden(FieldPath("value"), "may not be changed in an update.");
  check_unchanged(r.object["preemptionPolicy"], (*r.old)["preemptionPolicy"], FieldPath("preemptionPolicy"), &r.errors);
}

}  // namespace lotse::schema
