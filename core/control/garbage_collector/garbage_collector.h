// garbage-collector: what is owned goes with its owners: afterwards (background), before (foreground), or stays as an
// orphan. Owners are found by kind and name and must have the uid that the reference has.
#pragma once
#include <map>

#include "core/control/all.h"

namespace lotse::control {

class GarbageCollector : public Controller {
 public:
  explicit GarbageCollector(const std::vector<Settings::Resource>& resources);
  std::string_view name() const override { return "garbage-collector"; }
  std::vector<store::ResourceName> resources() const override;
  // "resource|namespace|name"
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  using Resource = Settings::Resource;
  struct Owners;
  const Resource* resource_of(const OwnerRef& owner) const;
  Owners owners(const Object& dependent, const View& view) const;
  Action drop_finalizer(const Resource& resource, const Object& object, std::string_view finalizer) const;
  Action strip_owners(const Resource& resource, const Object& object, const std::vector<std::string>& uids) const;
  void orphan_dependents(const Resource& resource, const Object& object, const View& view, Outcome* out) const;
  void foreground(const Resource& resource, const Object& object, const View& view, Outcome* out) const;
  void collect(const Resource& resource, const Object& object, const View& view, Outcome* out) const;

  std::map<store::ResourceName, Resource> by_name_;
  std::map<std::pair<std::string, std::string>, store::ResourceName> by_kind_;  // {group, kind}
};

}  // namespace lotse::control
