#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

void check_rule(const Value& rule, bool namespaced, const FieldPath& path, Errors* errors) {
  if (!rule["nonResourceURLs"].empty()) {
    if (namespaced)
      errors->invalid(path.child("nonResourceURLs"), rule["nonResourceURLs"],
                      "namespaced rules cannot apply to non-resource URLs");
    if (!rule["apiGroups"].empty() || !rule["resources"].empty() || !rule["resourceNames"].empty()) {
      errors->invalid(path.child("nonResourceURLs"), rule["nonResourceURLs"],
                      "rules cannot apply to both regular resources and non-resource URLs");
    }
    return;
  }
  if (rule["apiGroups"].empty())
    errors->required(path.child("apiGroups"), "resource rules must supply at least one api group");
  if (rule["resources"].empty())
    errors->required(path.child("resources"), "resource rules must supply at least one resource");
}

void check_subject(const Value& subject, bool namespaced, const FieldPath& path, Errors* errors) {
  const std::string_view kind = subject["kind"].str(), name = subject["name"].str(), group = subject["apiGroup"].str();
  if (kind == "ServiceAccount") {
    if (!name.empty()) errors->check(path.child("name"), name, dns_subdomain(name));
    if (!group.empty()) errors->not_supported(path.child("apiGroup"), group, {""});
    if (!namespaced && subject["namespace"].str().empty()) errors->required(path.child("namespace"));
  } else if (kind == "User" || kind == "Group") {
    if (group != kGroup) errors->not_supported(path.child("apiGroup"), group, {kGroup});
  } else if (kind.empty()) {
    errors->not_supported(path.child("kind"), kind, {"Group", "ServiceAccount", "User"});
  }
}

}  // namespace

void validate_role(const Rules& r) {
  const FieldPath rules("rules"), aggregation("aggregationRule"), selectors = aggregation.child("clusterRoleSelectors");
  for (size_t i = 0; i < r.object["rules"].size(); ++i) {
    check_rule(r.object["rules"].at(i), r.resource.namespaced, rules.index(i), &r.errors);
  }
  const Value& rule = r.object["aggregationRule"];
  if (rule.is_null()) return;
  if (rule["clusterRoleSelectors"].empty())
    r.errors.required(selectors, "at least one clusterRoleSelector required if aggregationRule is non-nil");
  for (size_t i = 0; i < rule["clusterRoleSelectors"].size(); ++i) {
    validate_label_selector(rule["clusterRoleSelectors"].at(i), selectors.index(i), &r.errors);
  }
}

void validate_role_binding(const Rules& r) {
  const FieldPath path("roleRef"), subjects("subjects");
  const Value& ref = r.object["roleRef"];
  const bool namespaced = r.resource.namespaced;
  if (ref["apiGroup"].str() != kGroup) r.errors.not_supported(path.child("apiGroup"), ref["apiGroup"].str(), {kGroup});
  const std::string_view kind = ref["kind"].str(), name = ref["name"].str();
  if (!kind.empty() && kind != "ClusterRole" && !(namespaced && kind == "Role")) {
    std::vector<std::string_view> kinds = {"ClusterRole"};
    if (namespaced) kinds.insert(kinds.begin(), "Role");
    r.errors.not_supported(path.child("kind"), kind, std::move(kinds));
  }
  if (!name.empty()) r.errors.check(path.child("name"), name, path_segment(name));
  for (size_t i = 0; i < r.object["subjects"].size(); ++i) {
    check_subject(r.object["subjects"].at(i), namespaced, subjects.index(i), &r.errors);
  }
  if (r.old && !(ref == (*r.old)["roleRef"])) r.errors.invalid(path, ref, "cannot change roleRef");
}

}  // namespace lotse::schema
