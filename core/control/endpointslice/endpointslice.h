// endpointslice: the addresses of a Service's pods in slices of at most 100. Slices are changed as little as possible,
// as every node reads every change.
#pragma once
#include "core/control/controller.h"

namespace lotse::control {

class EndpointSliceController : public Controller {
 public:
  std::string_view name() const override { return "endpointslice"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;
};

}  // namespace lotse::control
