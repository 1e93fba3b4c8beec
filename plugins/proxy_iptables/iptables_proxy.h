// The iptables proxy: keeps the checked table, and brings its changes to the kernel of each family.
#pragma once
#include <optional>

#include "lotse/proxy.hpp"
#include "plugins/proxy_iptables/kernel.h"
#include "plugins/service_table/service_table.h"

namespace lotse::proxy_iptables {

class IptablesProxy : public sdk::Proxy {
 public:
  IptablesProxy(const sdk::Host& host, const sdk::Config& config);
  static std::vector<lotse_key> keys();
  void info(const sdk::Msg& request, sdk::Call call) override;
  void resync(const sdk::Msg& table, sdk::Call call) override;
  void apply(const sdk::Msg& changes, sdk::Call call) override;
  void remove_all(const sdk::Msg& request, sdk::Call call) override;

 private:
  RulesById rules(const std::set<std::string>& ids, Family family) const;
  void resync_all();
  sdk::Msg problems() const;

  std::string variant_;
  bool localnet_;
  ServiceTable table_;
  std::map<Family, Kernel> kernels_;
  bool in_doubt_ = true;  // the kernel may not hold what we think: write everything next time
};

}  // namespace lotse::proxy_iptables
