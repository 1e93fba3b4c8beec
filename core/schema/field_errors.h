// Errors: the causes of an invalid object, in the standard forms of Kubernetes' field errors. The sentence that a rule
// adds is our own.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/object/json.h"
#include "core/schema/field_path.h"
#include "core/schema/schema.h"

namespace lotse::schema {

class Errors {
 public:
  void required(const FieldPath& path, std::string_view why = {});
  void invalid(const FieldPath& path, const json::Value& value, std::string_view why);
  void not_supported(const FieldPath& path, const json::Value& value, std::vector<std::string_view> choices);
  void forbidden(const FieldPath& path, std::string_view why);
  void duplicate(const FieldPath& path, const json::Value& value);
  void not_found(const FieldPath& path, const json::Value& value);
  void too_long(const FieldPath& path, size_t bytes_max);
  void too_many(const FieldPath& path, size_t actual, size_t items_max);
  // Adds an invalid for each sentence that is not empty.
  void check(const FieldPath& path, std::string_view value, const std::string& why);
  std::vector<Cause> take() { return std::move(causes_); }
  size_t count() const { return causes_.size(); }

 private:
  void add(const FieldPath& path, std::string_view reason, std::string message);
  std::vector<Cause> causes_;
};

inline constexpr std::string_view kImmutable = "field is immutable";

}  // namespace lotse::schema
