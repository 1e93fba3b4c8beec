// pod-garbage-collector: removes pods that nobody will finish: those on nodes that are gone, those that were never
// placed and are being deleted, and ended ones beyond a number.
#pragma once
#include <map>
#include <set>

#include "core/control/controller.h"

namespace lotse::control {

class PodGarbageCollector : public Controller {
 public:
  explicit PodGarbageCollector(size_t terminated_max) : terminated_max_(terminated_max) {}
  std::string_view name() const override { return "pod-garbage-collector"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  Outcome drop_terminated(const View& view);
  size_t terminated_max_;
  std::map<std::string, WallTime> node_missed_;            // by node, since when
  std::set<std::pair<WallTime, std::string>> terminated_;  // oldest first
  std::map<std::string, WallTime> terminated_since_;
};

}  // namespace lotse::control
