// LeaseKeeper: a node's ping renews its Lease in kube-node-lease, through the API like everything else, as the node itself. At most one
// renewal of a node is under way.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/api/client.h"

namespace lotse::daemon {

class LeaseKeeper {
 public:
  LeaseKeeper(api::Handler& handler, Loop& loop) : handler_(handler), loop_(loop) {}
  // [any thread]
  void heard(const std::string& node);
  // [loop]
  void end() { clients_.clear(); }

 private:
  void renew(const std::string& node);
  void create(const std::string& node);
  api::Handler& handler_;
  Loop& loop_;
  std::map<std::string, std::unique_ptr<api::Client>> clients_;
  std::set<std::string> busy_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lotse::daemon
