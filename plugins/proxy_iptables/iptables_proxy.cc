#include "plugins/proxy_iptables/iptables_proxy.h"

#include "plugins/service_table/kernel_settings.h"
#include "plugins/service_table/stale_connections.h"

namespace lotse::proxy_iptables {

IptablesProxy::IptablesProxy(const sdk::Host& host, const sdk::Config& config)
    : Proxy(host), variant_(config.text("variant")), localnet_(config.boolean("localhost_node_ports")) {
  if (variant_ == "auto") variant_.clear();
  IptablesProgram(Family::kIPv4, variant_).require("iptables");
}

std::vector<lotse_key> IptablesProxy::keys() {
  return {sdk::Key::text("variant", "which iptables: auto is what the command iptables is on this machine").choices("auto|nft|legacy").fallback("auto"),
          sdk::Key::boolean("localhost_node_ports", "node ports answer on 127.0.0.1 too (sets route_localnet)").fallback("true")};
}

void IptablesProxy::info(const sdk::Msg&, sdk::Call call) {
  call.done(sdk::Msg::map({{"mode", "iptables"}, {"families", sdk::Msg::strings({"IPv4", "IPv6"})},
                           {"features", sdk::Msg::strings({"affinity", "node_ports", "external_ips", "load_balancer", "source_ranges", "traffic_policy", "hairpin"})}}));
}

RulesById IptablesProxy::rules(const std::set<std::string>& ids, Family family) const {
  RulesById out;
  for (const auto& id : ids)
    if (const Service* s = table_.find(id)) out.emplace(id, rules_of(*s, table_.facts(), family));
  return out;
}

void IptablesProxy::resync_all() {
  std::set<std::string> ids;
  for (const auto& [id, service] : table_.services()) ids.insert(id);
  for (auto& [family, kernel] : kernels_) kernel.resync(rules(ids, family));
  in_doubt_ = false;
}

void IptablesProxy::resync(const sdk::Msg& table, sdk::Call call) {
  const auto changes = table_.resync(table);
  kernels_.try_emplace(Family::kIPv4, Family::kIPv4, variant_);
  const bool six = table_.has_family(Family::kIPv6);
  if (six) kernels_.try_emplace(Family::kIPv6, Family::kIPv6, variant_);
  let_forward(six);
  if (localnet_) write_sysctl("net/ipv4/conf/all/route_localnet", "1");
  in_doubt_ = true;
  resync_all();
  forget_stale_connections(host(), table_, changes);
  call.done(problems());
}

void IptablesProxy::apply(const sdk::Msg& told, sdk::Call call) {
  const auto changes = table_.apply(told);
  if (in_doubt_ || kernels_.empty()) {
    kernels_.try_emplace(Family::kIPv4, Family::kIPv4, variant_);
    resync_all();
  } else {
    try {
      for (auto& [family, kernel] : kernels_) kernel.change(rules(changes.ids, family), changes.ids);
    } catch (const sdk::Failure& failure) {
      // Somebody else has changed our chains: write everything anew.
      host().warn("change.refused", "an incremental change was refused; everything is written anew", {{"reason", failure.what()}});
      in_doubt_ = true;
      resync_all();
    }
  }
  forget_stale_connections(host(), table_, changes);
  call.done(problems());
}

void IptablesProxy::remove_all(const sdk::Msg&, sdk::Call call) {
  for (Family family : {Family::kIPv4, Family::kIPv6}) {
    try {
      kernels_.try_emplace(family, family, variant_).first->second.remove_all();
    } catch (const sdk::Failure&) {
      if (family == Family::kIPv4) throw;  // a machine without IPv6 has nothing of ours there
    }
  }
  kernels_.clear();
  table_.clear();
  in_doubt_ = true;
  call.done(sdk::Msg::map());
}

sdk::Msg IptablesProxy::problems() const { return problem_list(table_.problems()); }

}  // namespace lotse::proxy_iptables
