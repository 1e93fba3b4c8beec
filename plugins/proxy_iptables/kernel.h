// Kernel: one family's tables. It remembers what it has put there, and writes only what differs; the text is made by pure functions
//, the program is iptables-restore with --noflush, a transaction a table.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plugins/proxy_iptables/rules.h"

namespace lotse::proxy_iptables {

using RulesById = std::map<std::string, ServiceRules>;

std::string full_text(const std::string& table, const RulesById& rules, Family family, const Found& found);
// From what is there to what is wanted, for these ids only. Empty: nothing to do in this table.
std::string change_text(const std::string& table, const RulesById& before, const RulesById& after, const std::set<std::string>& ids);

class Kernel {
 public:
  Kernel(Family family, std::string variant) : family_(family), iptables_(family, std::move(variant)) {}
  // [worker] They throw sdk::Failure with iptables' own words.
  void resync(RulesById rules);
  void change(RulesById rules, const std::set<std::string>& ids);  // rules: of these ids only
  void remove_all();
  const RulesById& rules() const { return rules_; }

 private:
  Family family_;
  IptablesProgram iptables_;
  RulesById rules_;
};

}  // namespace lotse::proxy_iptables
