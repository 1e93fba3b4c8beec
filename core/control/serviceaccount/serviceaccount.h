// serviceaccount: every Namespace has a ServiceAccount "default".
#pragma once
#include "core/control/controller.h"

namespace lotse::control {

class ServiceAccountController : public Controller {
 public:
  std::string_view name() const override { return "serviceaccount"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;
};

}  // namespace lotse::control
