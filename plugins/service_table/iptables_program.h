// IptablesProgram: iptables-save and iptables-restore of one family. One restore is one transaction a table.
#pragma once
#include "plugins/service_table/table.h"

namespace lotse::service_table {

// What is in a table that is ours: chains whose names begin with our prefix, and the jumps to them from chains that do not.
struct Found {
  std::set<std::string> chains;
  std::set<std::string> jumps;  // "-A PREROUTING ... -j LOTSE-SERVICES", whole lines
};
Found parse_save(const std::string& text, const std::string& prefix);

using Lines = std::vector<std::string>;  // rules without "-A chain"
struct Jump { std::string table, chain, rule; };

// The whole of what is ours in a table: chains with their rules, jumps that are not there yet, and nothing else of what was found.
std::string table_text(const std::string& table, const std::map<std::string, Lines>& chains, const std::vector<Jump>& jumps, const Found& found);
// What makes found disappear. Empty: there is nothing.
std::string removal_text(const std::string& table, const Found& found);

class IptablesProgram {
 public:
  // variant: "", "nft" or "legacy"
  IptablesProgram(Family family, std::string variant) : family_(family), variant_(std::move(variant)) {}
  Family family() const { return family_; }
  // [worker] They throw sdk::Failure with iptables' own words.
  std::string save(const std::string& table) const;
  void restore(const std::string& text) const;  // empty: nothing to do
  // sdk::Failure(LOTSE_UNSUPPORTED) where there is no such program; mode is named in it.
  void require(const std::string& mode) const;

 private:
  std::string program(const char* what) const;
  Family family_;
  std::string variant_;
};

}  // namespace lotse::service_table
