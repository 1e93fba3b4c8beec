#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr size_t kAnnotationsMax = 256 * 1024;

using NameForm = std::string (*)(std::string_view);

NameForm name_form(const ResourceInfo& r) {
  if (r.kind == "Namespace") return dns_label;
  if (r.kind == "Service") return dns_1035_label;
  if (r.group == "rbac.authorization.k8s.io") return path_segment;
  return dns_subdomain;
}

void validate_owners(const Value& owners, const FieldPath& path, Errors* errors) {
  bool controlled = false;
  for (size_t i = 0; i < owners.size(); ++i) {
    const Value& owner = owners.at(i);
    const FieldPath at = path.index(i);
    const std::string_view version = owner["apiVersion"].str();
    if (version.empty())
      errors->invalid(at.child("apiVersion"), owner["apiVersion"].str(), "must not be empty");
    else if (std::count(version.begin(), version.end(), '/') > 1)
      errors->invalid(at.child("apiVersion"), version, "is no group and version");
    for (std::string_view key : {"kind", "name", "uid"}) {
      if (owner[key].str().empty()) errors->invalid(at.child(key), "", "must not be empty");
    }
    if (version == "v1" && owner["kind"].str() == "Event") errors->invalid(at, owner, "an Event may not be an owner");
    if (!owner["controller"].boolean()) continue;
    if (controlled) errors->invalid(path, owners, "only one owner may have controller set to true");
    controlled = true;
  }
}

void validate_finalizers(const Value& finalizers, const FieldPath& path, Errors* errors) {
  for (size_t i = 0; i < finalizers.size(); ++i) {
    const std::string_view name = finalizers.at(i).str();
    errors->check(path.index(i), name, qualified_name(name));
  }
}

void validate_metadata_update(const Value& now, const Value& before, const FieldPath& path, Errors* errors) {
  for (std::string_view key :
       {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    check_unchanged(now[key], before[key], path.child(key), errors);
  }
  if (before["deletionTimestamp"].is_null()) return;
  for (const Value& f : now["finalizers"].items()) {
    const auto& had = before["finalizers"].items();
    if (std::find(had.begin(), had.end(), f) == had.end()) {
      errors->forbidden(path.child("finalizers"),
                        "no new finalizers can be added to an object that is being deleted: " + std::string(f.str()));
    }
  }
}

}  // namespace

std::vector<std::string> check_name(const ResourceInfo& resource, std::string_view name, bool prefix) {
  std::string text(name);
  // What generateName adds follows a dash that must not end a name.
  if (prefix && text.size() > 1 && text.back() == '-') text.back() = 'a';
  std::string why = name_form(resource)(text);
  if (why.empty()) return {};
  return {std::move(why)};
}

void validate_labels(const Value& labels, const FieldPath& path, Errors* errors) {
  for (const auto& [key, value] : labels.members()) {
    errors->check(path, key, qualified_name(key));
    errors->check(path, value.str(), label_value(value.str()));
  }
}

void validate_annotations(const Value& annotations, const FieldPath& path, Errors* errors) {
  size_t size = 0;
  for (const auto& [key, value] : annotations.members()) {
    std::string lower = key;
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    errors->check(path, key, qualified_name(lower));
    size += key.size() + value.str().size();
  }
  if (size > kAnnotationsMax) errors->too_long(path, kAnnotationsMax);
}

void validate_metadata(const Rules& r) {
  const Value& meta = r.object["metadata"];
  const FieldPath path("metadata");
  const std::string_view name = meta["name"].str(), generate = meta["generateName"].str(), ns = meta["namespace"].str();
  for (const std::string& why :
       generate.empty() ? std::vector<std::string>() : check_name(r.resource, generate, true)) {
    r.errors.invalid(path.child("generateName"), generate, why);
  }
  if (name.empty() && generate.empty()) r.errors.required(path.child("name"), "name or generateName is required");
  for (const std::string& why : name.empty() ? std::vector<std::string>() : check_name(r.resource, name, false)) {
    r.errors.invalid(path.child("name"), name, why);
  }
  if (r.resource.namespaced) {
    if (ns.empty())
      r.errors.required(path.child("namespace"));
    else
      r.errors.check(path.child("namespace"), ns, dns_label(ns));
  } else if (!ns.empty()) {
    r.errors.forbidden(path.child("namespace"), "not allowed on this type");
  }
  check_not_negative(meta["generation"], path.child("generation"), &r.errors);
  validate_labels(meta["labels"], path.child("labels"), &r.errors);
  validate_annotations(meta["annotations"], path.child("annotations"), &r.errors);
  validate_owners(meta["ownerReferences"], path.child("ownerReferences"), &r.errors);
  validate_finalizers(meta["finalizers"], path.child("finalizers"), &r.errors);
  if (r.old) validate_metadata_update(meta, (*r.old)["metadata"], path, &r.errors);
}

void validate_label_selector(const Value& selector, const FieldPath& path, Errors* errors) {
  validate_labels(selector["matchLabels"], path.child("matchLabels"), errors);
  const FieldPath list = path.child("matchExpressions");
  for (size_t i = 0; i < selector["matchExpressions"].size(); ++i) {
    const Value& e = selector["matchExpressions"].at(i);
    const FieldPath at = list.index(i), values = at.child("values");
    const std::string_view op = e["operator"].str();
    if (op == "In" || op == "NotIn") {
      if (e["values"].empty()) errors->required(values, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!e["values"].empty())
        errors->forbidden(values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
      errors->invalid(at.child("operator"), op, "not a valid selector operator");
    }
    errors->check(at.child("key"), e["key"].str(), qualified_name(e["key"].str()));
    for (size_t v = 0; v < e["values"].size(); ++v) {
      errors->check(values.index(v), e["values"].at(v).str(), label_value(e["values"].at(v).str()));
    }
  }
}

}  // namespace lotse::schema
