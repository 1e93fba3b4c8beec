// RBAC: the rules of roles, through bindings, by subject. Follows Kubernetes' "Using RBAC Authorization". Only what is
// bound to somebody is looked at: bindings are indexed by subject, so that a request costs a few map lookups.
#include <shared_mutex>

#include "core/security/rules.h"

namespace lotse::security {
namespace {

struct Binding {
  std::string ns, name;  // ns empty: a ClusterRoleBinding
  std::string role_kind, role_name;
  std::vector<std::string> subjects;  // "u:NAME" or "g:NAME"
};
using BindingPtr = std::shared_ptr<const Binding>;
using RulesPtr = std::shared_ptr<const std::vector<Rule>>;

std::string place(std::string_view ns, std::string_view name) { return std::string(ns) + "/" + std::string(name); }

BindingPtr parse_binding(const Object& object) {
  json::Value v = object.value();
  auto b = std::make_shared<Binding>();
  b->ns = object.header().ns;
  b->name = object.header().name;
  b->role_kind = v["roleRef"]["kind"].str();
  b->role_name = v["roleRef"]["name"].str();
  for (const auto& s : v["subjects"].items()) {
    std::string kind(s["kind"].str()), name(s["name"].str());
    if (kind == "User") b->subjects.push_back("u:" + name);
    if (kind == "Group") b->subjects.push_back("g:" + name);
    if (kind == "ServiceAccount") {
      std::string_view ns = s["namespace"].str(b->ns);
      b->subjects.push_back("u:" + service_account_user(ns, name).name);
    }
  }
  return b;
}

class Rbac : public Authorizer {
 public:
  Decision authorize(const User& user, const Attributes& a) override {
    if (user.in_group(kGroupMasters)) return {Verdict::kAllow, ""};
    Decision decision{Verdict::kNoOpinion, ""};
    visit(user, a.is_resource ? a.ns : std::string(), [&](const Binding& b, const std::vector<Rule>& rules) {
      for (const auto& rule : rules)
        if (rule.allows(a)) {
          decision = {Verdict::kAllow, "RBAC: allowed by " + std::string(b.ns.empty() ? "ClusterRoleBinding \"" : "RoleBinding \"") +
                                           (b.ns.empty() ? b.name : b.name + "/" + b.ns) + "\" of " + b.role_kind + " \"" + b.role_name + "\""};
          return false;
        }
      return true;
    });
    return decision;
  }

  json::Value rules(const User& user, std::string_view ns) override {
    json::Value resource = json::Value::array(), other = json::Value::array();
    auto add = [&](const Rule& rule) { (rule.urls.empty() ? resource : other).push(rule.to_value()); };
    if (user.in_group(kGroupMasters)) {
      add({{"*"}, {"*"}, {"*"}, {}, {}});
      add({{"*"}, {}, {}, {}, {"*"}});
    }
    visit(user, std::string(ns), [&](const Binding&, const std::vector<Rule>& rules) {
      for (const auto& rule : rules) add(rule);
      return true;
    });
    return json::Value::object({{"resourceRules", resource}, {"nonResourceRules", other}, {"incomplete", false}});
  }

  void observe(std::string_view group, std::string_view resource, const ObjectPtr& object, const ObjectPtr& previous) override {
    if (group != "rbac.authorization.k8s.io") return;
    const ObjectPtr& either = object ? object : previous;
    if (!either) return;
    std::string at = place(either->header().ns, either->header().name);
    std::unique_lock lock(mutex_);
    if (resource == "roles" || resource == "clusterroles") {
      if (object)
        roles_[at] = std::make_shared<const std::vector<Rule>>(rules_from(object->value()["rules"]));
      else
        roles_.erase(at);
      return;
    }
    unbind(at);
    if (!object) return;
    BindingPtr binding = parse_binding(*object);
    bindings_[at] = binding;
    for (const auto& s : binding->subjects) by_subject_[s].push_back(binding);
  }

  void retain(std::string_view group, std::string_view resource, const std::set<std::string>& there) override {
    if (group != "rbac.authorization.k8s.io") return;
    const bool cluster = resource.starts_with("cluster");
    const auto gone = [&](const std::string& at) { return at.starts_with("/") == cluster && !there.contains(at); };
    std::unique_lock lock(mutex_);
    if (resource.ends_with("roles")) {
      std::erase_if(roles_, [&](const auto& role) { return gone(role.first); });
      return;
    }
    std::vector<std::string> unseen;
    for (const auto& [at, binding] : bindings_)
      if (gone(at)) unseen.push_back(at);
    for (const auto& at : unseen) unbind(at);
  }

 private:
  void unbind(const std::string& at) {
    auto it = bindings_.find(at);
    if (it == bindings_.end()) return;
    for (const auto& s : it->second->subjects) {
      auto& list = by_subject_[s];
      std::erase(list, it->second);
      if (list.empty()) by_subject_.erase(s);
    }
    bindings_.erase(it);
  }

  // Calls fn for each binding that concerns the user in the namespace (or cluster-wide) until it returns false.
  template <class Fn>
  void visit(const User& user, const std::string& ns, Fn fn) {
    std::shared_lock lock(mutex_);
    auto subject = [&](const std::string& key) {
      auto it = by_subject_.find(key);
      if (it == by_subject_.end()) return true;
      for (const auto& b : it->second) {
        if (!b->ns.empty() && b->ns != ns) continue;
        auto role = roles_.find(place(b->role_kind == "Role" ? std::string_view(b->ns) : std::string_view(), b->role_name));
        if (role != roles_.end() && !fn(*b, *role->second)) return false;
      }
      return true;
    };
    if (!subject("u:" + user.name)) return;
    for (const auto& group : user.groups)
      if (!subject("g:" + group)) return;
  }

  std::shared_mutex mutex_;
  std::unordered_map<std::string, RulesPtr> roles_;       // "ns/name"; cluster roles have an empty ns
  std::unordered_map<std::string, BindingPtr> bindings_;  // likewise: a RoleBinding always has a namespace
  std::unordered_map<std::string, std::vector<BindingPtr>> by_subject_;
};

class Union : public Authorizer {
 public:
  explicit Union(std::vector<std::unique_ptr<Authorizer>> parts) : parts_(std::move(parts)) {}
  Decision authorize(const User& user, const Attributes& a) override {
    std::string reasons;
    for (auto& part : parts_) {
      Decision d = part->authorize(user, a);
      if (d.verdict != Verdict::kNoOpinion) return d;
      if (!d.reason.empty()) reasons += (reasons.empty() ? "" : ", ") + d.reason;
    }
    return {Verdict::kNoOpinion, reasons};
  }
  json::Value rules(const User& user, std::string_view ns) override {
    json::Value all = json::Value::object({{"incomplete", false}, {"resourceRules", json::Value::array()}, {"nonResourceRules", json::Value::array()}});
    for (auto& part : parts_) {
      json::Value some = part->rules(user, ns);
      for (const auto& r : some["resourceRules"].items()) all["resourceRules"].push(r);
      for (const auto& r : some["nonResourceRules"].items()) all["nonResourceRules"].push(r);
      if (some["incomplete"].boolean()) all["incomplete"] = true;
    }
    return all;
  }
  void observe(std::string_view group, std::string_view resource, const ObjectPtr& object, const ObjectPtr& previous) override {
    for (auto& part : parts_) part->observe(group, resource, object, previous);
  }
  void retain(std::string_view group, std::string_view resource, const std::set<std::string>& there) override {
    for (auto& part : parts_) part->retain(group, resource, there);
  }

 private:
  std::vector<std::unique_ptr<Authorizer>> parts_;
};

}  // namespace

std::unique_ptr<Authorizer> make_rbac_authorizer() { return std::make_unique<Rbac>(); }
std::unique_ptr<Authorizer> make_union_authorizer(std::vector<std::unique_ptr<Authorizer>> parts) { return std::make_unique<Union>(std::move(parts)); }

bool covers(Authorizer& rbac, const User& user, std::string_view ns, const json::Value& rules, std::vector<std::string>* missing) {
  json::Value held = rbac.rules(user, ns);
  std::vector<Rule> all = rules_from(held["resourceRules"]);
  for (auto& rule : rules_from(held["nonResourceRules"])) all.push_back(std::move(rule));
  return rules_cover(all, rules_from(rules), missing);
}

}  // namespace lotse::security
