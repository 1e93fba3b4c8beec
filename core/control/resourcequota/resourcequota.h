// resourcequota: counts anew what a namespace's objects use of its quotas. New objects are charged when they are admitted
// (core/api/quota.h); here quotas that are new or changed are filled in, what was deleted or has ended is given back, and
// every five minutes all is counted again.
#pragma once
#include "core/control/all.h"
#include "core/control/controller.h"

namespace lotse::control {

class ResourceQuotaController : public Controller {
 public:
  explicit ResourceQuotaController(const std::vector<Settings::Resource>& resources);
  std::string_view name() const override { return "resourcequota"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  std::vector<store::ResourceName> counted_;  // all that lives in namespaces, but events
};

}  // namespace lotse::control
