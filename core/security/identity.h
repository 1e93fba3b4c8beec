// Who asks, and how we know it.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/clock.h"

namespace lotse::security {

// Kubernetes' user.Info.
struct User {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  bool in_group(std::string_view group) const;
};

inline constexpr std::string_view kAnonymous = "system:anonymous";
inline constexpr std::string_view kGroupUnauthenticated = "system:unauthenticated";
inline constexpr std::string_view kGroupAuthenticated = "system:authenticated";
inline constexpr std::string_view kGroupMasters = "system:masters";
inline constexpr std::string_view kGroupNodes = "system:nodes";

User service_account_user(std::string_view ns, std::string_view name, std::string_view uid = {});
User controller_user(std::string_view controller);  // system:serviceaccount:kube-system:<controller>
User scheduler_user();                              // system:kube-scheduler
User node_user(std::string_view node);              // system:node:<node>, in system:nodes

// What a connection brought along.
struct Peer {
  std::vector<std::string> certificates;  // DER, leaf first
  std::string token;                      // bearer
  std::string remote_address;
  std::shared_ptr<const User> trusted;    // set by in-process callers and the bus session (by its CURVE key), never by a transport
};

}  // namespace lotse::security
