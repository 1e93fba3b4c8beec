#include "plugins/proxy_ipvs/ipvs_proxy.h"

#include "plugins/proxy_ipvs/sets.h"
#include "plugins/service_table/stale_connections.h"

namespace lotse::proxy_ipvs {
namespace {

constexpr std::chrono::seconds kLookAgain{5};
constexpr const char* kFault = "ipvs";

Kernel::Settings settings(const sdk::Config& config) {
  std::string variant = config.text("variant");
  if (variant == "auto") variant.clear();
  return {config.text("scheduler"), variant, config.duration("drain_timeout")};
}

}  // namespace

IpvsProxy::IpvsProxy(const sdk::Host& host, const sdk::Config& config) : Proxy(host), scheduler_(config.text("scheduler")), kernel_(settings(config)) {
  IptablesProgram(Family::kIPv4, settings(config).variant).require("ipvs");
  require_ipset();
}

IpvsProxy::~IpvsProxy() {
  {
    std::lock_guard lock(gate_->mutex);
    gate_->open = false;
  }
  timer_.stop();
}

std::vector<lotse_key> IpvsProxy::keys() {
  return {sdk::Key::text("scheduler", "how IPVS chooses an endpoint").choices("rr|wrr|lc|wlc|sh|dh|sed|nq|mh").fallback("rr"),
          sdk::Key::duration("drain_timeout", "how long connections to an endpoint that is gone may go on").fallback("15m"),
          sdk::Key::text("variant", "which iptables: auto is what the command iptables is on this machine").choices("auto|nft|legacy").fallback("auto")};
}

template <class Fn>
auto IpvsProxy::with_kernel(Fn fn) {
  std::lock_guard lock(gate_->mutex);
  try {
    auto out = fn();
    if (std::exchange(at_fault_, false)) host().clear_fault(kFault);
    come_back();
    return out;
  } catch (const sdk::Failure& failure) {
    if (failure.code() == LOTSE_UNSUPPORTED && !std::exchange(at_fault_, true)) host().raise_fault(kFault, "IpvsNotSupported", failure.what());
    throw;
  }
}

void IpvsProxy::info(const sdk::Msg&, sdk::Call call) {
  with_kernel([this] {
    kernel_.require();
    return true;
  });
  call.done(sdk::Msg::map({{"mode", "ipvs"}, {"scheduler", scheduler_}, {"families", sdk::Msg::strings({"IPv4", "IPv6"})},
                           {"features", sdk::Msg::strings({"affinity", "node_ports", "external_ips", "load_balancer", "source_ranges", "traffic_policy", "hairpin", "draining", "affinity_with_connections", "through_input"})}}));
}

void IpvsProxy::resync(const sdk::Msg& table, sdk::Call call) {
  const auto changes = table_.resync(table);
  const auto trouble = with_kernel([this] { return kernel_.resync(table_); });
  forget_stale_connections(host(), table_, changes);
  call.done(problems(trouble));
}

void IpvsProxy::apply(const sdk::Msg& told, sdk::Call call) {
  const auto changes = table_.apply(told);
  const auto trouble = with_kernel([&] {
    try {
      return kernel_.apply(table_, changes.ids);
    } catch (const sdk::Failure& failure) {
      // Somebody else has changed what is ours: write everything anew.
      host().warn("change.refused", "an incremental change was refused; everything is written anew", {{"reason", failure.what()}});
      return kernel_.resync(table_);
    }
  });
  forget_stale_connections(host(), table_, changes);
  call.done(problems(trouble));
}

void IpvsProxy::remove_all(const sdk::Msg&, sdk::Call call) {
  with_kernel([this] {
    kernel_.remove_all();
    return true;
  });
  table_.clear();
  call.done(sdk::Msg::map());
}

// IPVS tells nobody that a connection has ended: while an endpoint waits for that, and only then, it is asked every few seconds.
// REQUIRES: gate_ is locked.
void IpvsProxy::come_back() {
  if (!kernel_.draining() || coming_back_ || !host().service<lotse_host_loop>(LOTSE_HOST_LOOP)) return;
  coming_back_ = true;
  timer_ = host().after(kLookAgain, [this, gate = gate_, host = host()] {
    if (host.work([this, gate] {
          std::lock_guard lock(gate->mutex);
          if (gate->open) collect();
        }))
      return;
    std::lock_guard lock(gate->mutex);  // no worker is free: the next call, or the next change, tries again
    if (gate->open) coming_back_ = false;
  });
}

void IpvsProxy::collect() {
  coming_back_ = false;
  try {
    kernel_.collect();
  } catch (const sdk::Failure& failure) {
    host().warn("drain.failed", "endpoints that are gone could not be taken out", {{"reason", failure.what()}});
  }
  come_back();
}

sdk::Msg IpvsProxy::problems(const std::vector<Problem>& of_kernel) const {
  std::vector<Problem> more = of_kernel;
  for (const auto& [id, s] : table_.services())
    if (s.health_check_port) more.push_back({id, "HealthCheckNodePort", "the ipvs proxy does not answer on health check node ports"});
  return problem_list(table_.problems(), more);
}

}  // namespace lotse::proxy_ipvs
