// Where a pod may run: node selectors, affinity, tolerations, spreading.
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_requirement(const Value& e, const FieldPath& at, Errors* errors) {
  const std::string_view op = e["operator"].str(), key = e["key"].str();
  const size_t values = e["values"].size();
  if (op == "In" || op == "NotIn") {
    if (values == 0) errors->required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (values > 0)
      errors->forbidden(at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if (op == "Gt" || op == "Lt") {
    if (values != 1)
      errors->required(at.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else {
    errors->invalid(at.child("operator"), op, "not a valid selector operator");
  }
  errors->check(at.child("key"), key, qualified_name(key));
}

void check_term(const Value& term, const FieldPath& path, Errors* errors) {
  const FieldPath expressions = path.child("matchExpressions"), fields = path.child("matchFields");
  for (size_t i = 0; i < term["matchExpressions"].size(); ++i)
    check_requirement(term["matchExpressions"].at(i), expressions.index(i), errors);
  for (size_t i = 0; i < term["matchFields"].size(); ++i) {
    const Value& e = term["matchFields"].at(i);
    const FieldPath at = fields.index(i);
    if (e["key"].str() != "metadata.name") errors->invalid(at.child("key"), e["key"], "not a valid field selector key");
    if (e["operator"].str() != "In" && e["operator"].str() != "NotIn")
      errors->invalid(at.child("operator"), e["operator"], "not a valid selector operator");
    if (e["values"].size() != 1)
      errors->required(at.child("values"),
                       "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  }
}

void check_weight(const Value& term, const FieldPath& at, Errors* errors) {
  const int64_t weight = term["weight"].integer();
  if (weight < 1 || weight > 100) errors->invalid(at.child("weight"), weight, "must be in the range 1-100");
}

void check_pod_term(const Value& term, const FieldPath& path, Errors* errors) {
  const std::string_view key = term["topologyKey"].str();
  if (key.empty())
    errors->required(path.child("topologyKey"), "can not be empty");
  else
    errors->check(path.child("topologyKey"), key, qualified_name(key));
  validate_label_selector(term["labelSelector"], path.child("labelSelector"), errors);
  validate_label_selector(term["namespaceSelector"], path.child("namespaceSelector"), errors);
  const FieldPath namespaces = path.child("namespaces");
  for (size_t i = 0; i < term["namespaces"].size(); ++i) {
    errors->check(namespaces.index(i), term["namespaces"].at(i).str(), dns_label(term["namespaces"].at(i).str()));
  }
}

constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution",
                           kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";

void check_affinity(const Value& affinity, const FieldPath& path, Errors* errors) {
  const FieldPath node = path.child("nodeAffinity"), preferred = node.child(kPreferred);
  const Value& by_node = affinity["nodeAffinity"];
  if (!by_node[kRequired].is_null()) validate_node_selector(by_node[kRequired], node.child(kRequired), errors);
  for (size_t i = 0; i < by_node[kPreferred].size(); ++i) {
    const FieldPath at = preferred.index(i);
    check_weight(by_node[kPreferred].at(i), at, errors);
    check_term(by_node[kPreferred].at(i)["preference"], at.child("preference"), errors);
  }
  for (std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
    const FieldPath pods = path.child(kind), must = pods.child(kRequired), may = pods.child(kPreferred);
    const Value& by_pod = affinity[kind];
    for (size_t i = 0; i < by_pod[kRequired].size(); ++i)
      check_pod_term(by_pod[kRequired].at(i), must.index(i), errors);
    for (size_t i = 0; i < by_pod[kPreferred].size(); ++i) {
      const FieldPath at = may.index(i);
      check_weight(by_pod[kPreferred].at(i), at, errors);
      check_pod_term(by_pod[kPreferred].at(i)["podAffinityTerm"], at.child("podAffinityTerm"), errors);
    }
  }
}

void check_toleration(const Value& t, const FieldPath& path, Errors* errors) {
  const std::string_view key = t["key"].str(), op = t["operator"].str(), value = t["value"].str();
  if (!key.empty()) errors->check(path.child("key"), key, qualified_name(key));
  if (key.empty() && op != "Exists") {
    errors->invalid(path.child("operator"), op,
                    "must be Exists when `key` is empty, which means \"match all values and all keys\"");
  }
  if (!t["tolerationSeconds"].is_null() && t["effect"].str() != "NoExecute") {
    errors->invalid(path.child("effect"), t["effect"].str(),
                    "effect must be 'NoExecute' when `tolerationSeconds` is set");
  }
  if (op == "Exists" && !value.empty())
    errors->invalid(path.child("operator"), t, "value must be empty when `operator` is 'Exists'");
  if (op != "Exists") errors->check(path.child("value"), value, label_value(value));
}

void check_spreading(const Value& list, const FieldPath& path, Errors* errors) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (size_t i = 0; i < list.size(); ++i) {
    const Value& c = list.at(i);
    const FieldPath at = path.index(i);
    const std::string_view key = c["topologyKey"].str(), when = c["whenUnsatisfiable"].str();
    if (c["maxSkew"].integer() <= 0)
      errors->invalid(at.child("maxSkew"), c["maxSkew"].integer(), "must be greater than zero");
    if (!key.empty()) errors->check(at.child("topologyKey"), key, qualified_name(key));
    if (!c["minDomains"].is_null()) {
      if (c["minDomains"].integer() <= 0)
        errors->invalid(at.child("minDomains"), c["minDomains"], "must be greater than zero");
      if (when != "DoNotSchedule")
        errors->invalid(at.child("minDomains"), c["minDomains"],
                        "can only use minDomains if whenUnsatisfiable=DoNotSchedule");
    }
    if (!seen.insert({key, when}).second) {
      errors->duplicate(at.child("{topologyKey, whenUnsatisfiable}"),
                        "{" + std::string(key) + ", " + std::string(when) + "}");
    }
    validate_label_selector(c["labelSelector"], at.child("labelSelector"), errors);
  }
}

}  // namespace

void validate_node_selector(const Value& selector, const FieldPath& path, Errors* errors) {
  const FieldPath terms = path.child("nodeSelectorTerms");
  for (size_t i = 0; i < selector["nodeSelectorTerms"].size(); ++i)
    check_term(selector["nodeSelectorTerms"].at(i), terms.index(i), errors);
}

void validate_scheduling(const Value& spec, const FieldPath& path, Errors* errors) {
  validate_labels(spec["nodeSelector"], path.child("nodeSelector"), errors);
  check_affinity(spec["affinity"], path.child("affinity"), errors);
  const FieldPath tolerations = path.child("tolerations");
  for (size_t i = 0; i < spec["tolerations"].size(); ++i)
    check_toleration(spec["tolerations"].at(i), tolerations.index(i), errors);
  check_spreading(spec["topologySpreadConstraints"], path.child("topologySpreadConstraints"), errors);
}

}  // namespace lotse::schema
