#include "plugins/proxy_nftables/nftables_proxy.h"

#include "plugins/proxy_nftables/clients.h"
#include "plugins/service_table/kernel_settings.h"
#include "plugins/service_table/stale_connections.h"

namespace lotse::proxy_nftables {

NftablesProxy::NftablesProxy(const sdk::Host& host, const sdk::Config&) : Proxy(host) {
  try {
    // Everything that the frame needs of the kernel, tried and taken back: --check changes nothing, but does not ask the kernel.
    nft_.run("add table ip lotse_probe\nadd chain ip lotse_probe nat { type nat hook output priority -100; }\n"
             "add map ip lotse_probe m { typeof ip daddr . numgen random mod 2 : ip daddr . th dport; }\n"
             "add rule ip lotse_probe nat meta l4proto tcp fib daddr type local dnat ip to ip daddr . numgen random mod 2 map @m\ndelete table ip lotse_probe\n");
  } catch (const sdk::Failure& failure) {
    throw sdk::Failure(LOTSE_UNSUPPORTED, std::string("the kernel's nf_tables cannot do what Services need: ") + failure.what());
  }
}

void NftablesProxy::info(const sdk::Msg&, sdk::Call call) {
  call.done(sdk::Msg::map({{"mode", "nftables"}, {"families", sdk::Msg::strings({"IPv4", "IPv6"})},
                           {"features", sdk::Msg::strings({"affinity", "node_ports", "external_ips", "load_balancer", "source_ranges", "traffic_policy", "hairpin"})}}));
}

void NftablesProxy::write_all() {
  in_doubt_ = true;
  std::string text;
  for (auto& [family, ruleset] : rulesets_) {
    text += ruleset.full(table_.services(), table_.facts());
    const std::string sets = nft_.run(std::string("list sets ") + word(family) + "\n");
    text += kept_clients(sets, word(family), [&](const std::string& name) { return ruleset.has_set(name); });
  }
  nft_.run(text);
  in_doubt_ = false;
}

void NftablesProxy::resync(const sdk::Msg& table, sdk::Call call) {
  const auto changes = table_.resync(table);
  rulesets_.try_emplace(Family::kIPv4, Family::kIPv4);
  const bool six = table_.has_family(Family::kIPv6);
  if (six) rulesets_.try_emplace(Family::kIPv6, Family::kIPv6);
  service_table::let_forward(six);
  write_all();
  service_table::forget_stale_connections(host(), table_, changes);
  call.done(problems());
}

void NftablesProxy::apply(const sdk::Msg& told, sdk::Call call) {
  const auto changes = table_.apply(told);
  rulesets_.try_emplace(Family::kIPv4, Family::kIPv4);
  if (in_doubt_) {
    write_all();
  } else {
    try {
      std::string text;
      for (auto& [family, ruleset] : rulesets_) text += ruleset.change(changes.before, changes.ids, table_.services(), table_.facts());
      nft_.run(text);
    } catch (const sdk::Failure& failure) {
      // Somebody else has changed our table: write everything anew.
      host().warn("change.refused", "an incremental change was refused; everything is written anew", {{"reason", failure.what()}});
      write_all();
    }
  }
  service_table::forget_stale_connections(host(), table_, changes);
  call.done(problems());
}

void NftablesProxy::remove_all(const sdk::Msg&, sdk::Call call) {
  nft_.run(Ruleset(Family::kIPv4).removal());
  try {
    nft_.run(Ruleset(Family::kIPv6).removal());
  } catch (const sdk::Failure&) {
    if (rulesets_.contains(Family::kIPv6)) throw;  // a machine without IPv6 has nothing of ours there
  }
  rulesets_.clear();
  table_.clear();
  in_doubt_ = true;
  call.done(sdk::Msg::map());
}

sdk::Msg NftablesProxy::problems() const {
  std::vector<service_table::Problem> more;
  for (const auto& [family, ruleset] : rulesets_)
    for (const auto& [id, what] : ruleset.waiting()) more.push_back({id, "AddressTaken", what});
  return service_table::problem_list(table_.problems(), more);
}

}  // namespace lotse::proxy_nftables
