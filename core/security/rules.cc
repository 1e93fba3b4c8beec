#include "core/security/rules.h"

namespace lotse::security {
namespace {

bool has(const std::vector<std::string>& list, std::string_view item) { return std::find(list.begin(), list.end(), item) != list.end(); }
bool has_or_all(const std::vector<std::string>& list, std::string_view item) { return has(list, "*") || has(list, item); }

// "pods/log" is granted by "pods/log", by "*/log" and by "*".
bool resource_matches(const std::vector<std::string>& resources, std::string_view resource, std::string_view subresource) {
  if (has(resources, "*")) return true;
  if (subresource.empty()) return has(resources, resource);
  std::string full = std::string(resource) + "/" + std::string(subresource);
  return has(resources, full) || has(resources, "*/" + std::string(subresource));
}

bool url_matches(const std::vector<std::string>& urls, std::string_view path) {
  for (const auto& url : urls) {
    if (url == "*" || url == path) return true;
    if (url.ends_with('*') && path.starts_with(std::string_view(url).substr(0, url.size() - 1))) return true;
  }
  return false;
}

std::vector<std::string> strings(const json::Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.emplace_back(item.str());
  return out;
}
json::Value to_array(const std::vector<std::string>& list) {
  json::Value out = json::Value::array();
  for (const auto& item : list) out.push(item);
  return out;
}

bool one_covers(const Rule& held, const Rule& wanted) {
  if (!wanted.urls.empty()) return has_or_all(held.verbs, wanted.verbs[0]) && url_matches(held.urls, wanted.urls[0]);
  std::string_view full = wanted.resources[0];
  size_t slash = full.find('/');
  bool resource = resource_matches(held.resources, full.substr(0, slash), slash == full.npos ? std::string_view() : full.substr(slash + 1)) ||
                  has(held.resources, full);
  bool name = held.names.empty() || (!wanted.names.empty() && has(held.names, wanted.names[0]));
  return has_or_all(held.verbs, wanted.verbs[0]) && has_or_all(held.groups, wanted.groups[0]) && resource && name;
}

// One rule for every combination of verb, group, resource and name.
std::vector<Rule> break_down(const Rule& rule) {
  std::vector<Rule> out;
  for (const auto& verb : rule.verbs) {
    for (const auto& url : rule.urls) out.push_back({{verb}, {}, {}, {}, {url}});
    for (const auto& group : rule.groups)
      for (const auto& resource : rule.resources) {
        if (rule.names.empty()) out.push_back({{verb}, {group}, {resource}, {}, {}});
        for (const auto& name : rule.names) out.push_back({{verb}, {group}, {resource}, {name}, {}});
      }
  }
  return out;
}

}  // namespace

bool Rule::allows(const Attributes& a) const {
  if (!has_or_all(verbs, a.verb)) return false;
  if (!a.is_resource) return url_matches(urls, a.path);
  return has_or_all(groups, a.group) && resource_matches(resources, a.resource, a.subresource) && (names.empty() || has(names, a.name));
}

Rule Rule::from_value(const json::Value& v) {
  return {strings(v["verbs"]), strings(v["apiGroups"]), strings(v["resources"]), strings(v["resourceNames"]), strings(v["nonResourceURLs"])};
}

json::Value Rule::to_value() const {
  json::Value out = json::Value::object({{"verbs", to_array(verbs)}});
  if (!groups.empty()) out["apiGroups"] = to_array(groups);
  if (!resources.empty()) out["resources"] = to_array(resources);
  if (!names.empty()) out["resourceNames"] = to_array(names);
  if (!urls.empty()) out["nonResourceURLs"] = to_array(urls);
  return out;
}

std::vector<Rule> rules_from(const json::Value& rules) {
  std::vector<Rule> out;
  for (const auto& rule : rules.items()) out.push_back(Rule::from_value(rule));
  return out;
}

bool rules_cover(const std::vector<Rule>& held, const std::vector<Rule>& wanted, std::vector<std::string>* missing) {
  bool all = true;
  for (const auto& rule : wanted)
    for (const auto& single : break_down(rule)) {
      bool covered = std::any_of(held.begin(), held.end(), [&](const Rule& h) { return one_covers(h, single); });
      if (!covered && missing) missing->push_back(json::write(single.to_value()));
      all = all && covered;
    }
  return all;
}

}  // namespace lotse::security
