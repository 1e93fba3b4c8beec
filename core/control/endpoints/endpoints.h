// endpoints: the older form of a Service's addresses, at most 1000 of them.
#pragma once
#include "core/control/controller.h"

namespace lotse::control {

class EndpointsController : public Controller {
 public:
  std::string_view name() const override { return "endpoints"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;
};

}  // namespace lotse::control
