// apiserver-endpoint: the Service `kubernetes` with where the API is reached, and the Service `kube-dns`, whose address
// the nodes' own DNS answers on (so it has no endpoints).
#pragma once
#include "core/control/all.h"
#include "core/control/kinds.h"

namespace lotse::control {

class ApiserverEndpointController : public Controller {
 public:
  explicit ApiserverEndpointController(const Settings& settings);
  std::string_view name() const override { return "apiserver-endpoint"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> initial_keys() override { return {"kubernetes", "kube-dns"}; }
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  json::Value service(std::string_view name, uint64_t nth, json::Value labels, json::Value ports) const;
  void ensure(const Kind& kind, json::Value wanted, const View& view, Outcome* out) const;

  std::vector<std::string> service_cidrs_;
  std::string address_;
  int port_;
};

}  // namespace lotse::control
