// A PolicyRule in a form that is matched quickly. Private to core/security.
#pragma once
#include <string>
#include <vector>

#include "core/object/json.h"
#include "core/security/security.h"

namespace lotse::security {

struct Rule {
  std::vector<std::string> verbs, groups, resources, names, urls;
  bool allows(const Attributes& attributes) const;
  static Rule from_value(const json::Value& value);
  json::Value to_value() const;
};
std::vector<Rule> rules_from(const json::Value& rules);

// Does `held` grant everything that `wanted` grants? (upstream's component-helpers/auth/rbac/validation.Covers)
bool rules_cover(const std::vector<Rule>& held, const std::vector<Rule>& wanted, std::vector<std::string>* missing);

}  // namespace lotse::security
