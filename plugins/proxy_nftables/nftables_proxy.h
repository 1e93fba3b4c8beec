// The nftables proxy: keeps the checked table, and brings its changes to the kernel, a transaction a call for all families.
#pragma once
#include "lotse/proxy.hpp"
#include "plugins/proxy_nftables/nft_library.h"
#include "plugins/proxy_nftables/ruleset.h"
#include "plugins/service_table/service_table.h"

namespace lotse::proxy_nftables {

class NftablesProxy : public sdk::Proxy {
 public:
  NftablesProxy(const sdk::Host& host, const sdk::Config& config);
  static std::vector<lotse_key> keys() { return {}; }
  void info(const sdk::Msg& request, sdk::Call call) override;
  void resync(const sdk::Msg& table, sdk::Call call) override;
  void apply(const sdk::Msg& changes, sdk::Call call) override;
  void remove_all(const sdk::Msg& request, sdk::Call call) override;

 private:
  void write_all();
  sdk::Msg problems() const;

  NftLibrary nft_;
  service_table::ServiceTable table_;
  std::map<Family, Ruleset> rulesets_;
  bool in_doubt_ = true;  // the kernel may not hold what we think: write everything next time
};

}  // namespace lotse::proxy_nftables
