#include "core/security/identity.h"

#include <algorithm>

namespace lotse::security {

bool User::in_group(std::string_view group) const { return std::find(groups.begin(), groups.end(), group) != groups.end(); }

User service_account_user(std::string_view ns, std::string_view name, std::string_view uid) {
  User user;
  user.name = "system:serviceaccount:" + std::string(ns) + ":" + std::string(name);
  user.uid = uid;
  user.groups = {"system:serviceaccounts", "system:serviceaccounts:" + std::string(ns), std::string(kGroupAuthenticated)};
  return user;
}

namespace {
// Upstream's service accounts are not all called after the controller's canonical name
// (cmd/kube-controller-manager/names and plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go).
struct AccountName { std::string_view controller, account; };
constexpr AccountName kAccounts[] = {
    {"endpoints", "endpoint-controller"},
    {"serviceaccount", "service-account-controller"},
    {"root-ca-certificate-publisher", "root-ca-cert-publisher"},
    {"garbage-collector", "generic-garbage-collector"},
    {"pod-garbage-collector", "pod-garbage-collector"},
    {"node-ipam", "node-controller"},
    {"node-lifecycle", "node-controller"},
    {"taint-eviction", "node-controller"},
};
}  // namespace

User controller_user(std::string_view controller) {
  for (const auto& entry : kAccounts)
    if (entry.controller == controller) return service_account_user("kube-system", entry.account);
  if (controller.ends_with("-controller")) return service_account_user("kube-system", controller);
  return service_account_user("kube-system", std::string(controller) + "-controller");
}

User scheduler_user() {
  User user;
  user.name = "system:kube-scheduler";
  user.groups = {std::string(kGroupAuthenticated)};
  return user;
}

User node_user(std::string_view node) {
  User user;
  user.name = "system:node:" + std::string(node);
  user.groups = {std::string(kGroupNodes), std::string(kGroupAuthenticated)};
  return user;
}

}  // namespace lotse::security
