// apiserver-endpoint: the Service `kubernetes` with where the API is reached, and the Service `kube-dns`, whose address
// the nodes' own DNS answers on (so it has no endpoints). Of several masters those are named whose Lease is renewed, judged by when a renewal
// was seen here, never by their clocks.
#pragma once
#include "core/control/all.h"
#include "core/control/kinds.h"
#include "core/control/masters.h"

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
  struct Seen {
    std::string renewed;  // as text: only whether it changes counts
    WallTime at{};
  };
  // Where the masters are that serve now, at this master's port; *again: when to look again.
  std::vector<std::string> live_masters(const View& view, WallTime now, std::optional<Duration>* again);
  json::Value service(std::string_view name, uint64_t nth, json::Value labels, json::Value ports) const;
  void ensure(const Kind& kind, json::Value wanted, const View& view, Outcome* out) const;

  std::vector<std::string> service_cidrs_;
  std::string address_;
  int port_;
  std::map<std::string, Seen> seen_;
};

}  // namespace lotse::control
