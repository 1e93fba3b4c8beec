// namespace: empties a Namespace that is being deleted, says in its conditions what is left, and lets go of it at the
// end.
#pragma once
#include "core/control/all.h"

namespace lotse::control {

class NamespaceController : public Controller {
 public:
  explicit NamespaceController(std::vector<Settings::Resource> resources) : contents_(std::move(resources)) {}
  std::string_view name() const override { return "namespace"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  std::vector<Settings::Resource> contents_;
};

}  // namespace lotse::control
