// Label and field selectors, parsed once and matched often. Syntax and meaning are those of Kubernetes' "Labels and
// Selectors" and "Field Selectors".
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"

namespace lotse {

class LabelSelector {
 public:
  enum class Op : uint8_t { kIn, kNotIn, kExists, kDoesNotExist, kGreater, kLess };
  struct Requirement { std::string key; Op op; std::vector<std::string> values; };
  static LabelSelector everything() { return {}; }
  static LabelSelector nothing();
  static Result<LabelSelector> parse(std::string_view text);            // "a=b,c in (d,e),!f"
  static Result<LabelSelector> from_value(const json::Value& selector); // metav1.LabelSelector; null: nothing, {}: everything
  static LabelSelector from_map(const json::Value& map);                // a Service's or ReplicationController's selector
  bool matches(const Labels& labels) const;
  bool empty() const { return requirements_.empty() && !nothing_; }
  bool matches_nothing() const { return nothing_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  std::string text() const;

 private:
  std::vector<Requirement> requirements_;
  bool nothing_ = false;
};

class FieldSelector {
 public:
  struct Requirement { std::string path; bool equal; std::string value; };
  static Result<FieldSelector> parse(std::string_view text);  // "metadata.name=x,spec.nodeName!=y"
  bool empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  // metadata.name and metadata.namespace come from the header, all else is read from the document.
  bool matches(const Object& object) const;

 private:
  std::vector<Requirement> requirements_;
};

}  // namespace lotse
