// taint-eviction: pods that do not tolerate a NoExecute taint of their node go, at once or after tolerationSeconds.
#pragma once
#include <map>

#include "core/control/controller.h"

namespace lotse::control {

class TaintEvictionController : public Controller {
 public:
  std::string_view name() const override { return "taint-eviction"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  std::map<std::string, WallTime> waiting_;  // pods that will go, since when; for taints without timeAdded
};

}  // namespace lotse::control
