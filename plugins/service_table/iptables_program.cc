#include "plugins/service_table/iptables_program.h"

#include <sstream>

#include "lotse/error.hpp"
#include "plugins/service_table/program.h"

namespace lotse::service_table {
namespace {

constexpr std::chrono::seconds kPatience{60};

std::string last_word(const std::string& line) { return line.substr(line.rfind(' ') + 1); }

}  // namespace

Found parse_save(const std::string& text, const std::string& prefix) {
  Found found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(":")) {
      std::string chain = line.substr(1, line.find(' ') - 1);
      if (chain.starts_with(prefix)) found.chains.insert(std::move(chain));
    } else if (line.starts_with("-A ") && !line.substr(3).starts_with(prefix) && line.find("-j " + prefix) != line.npos) {
      found.jumps.insert(line);
    }
  }
  return found;
}

std::string table_text(const std::string& table, const std::map<std::string, Lines>& chains, const std::vector<Jump>& jumps, const Found& found) {
  std::string out = "*" + table + "\n";
  for (const auto& [chain, lines] : chains) out += ":" + chain + " - [0:0]\n";
  for (const auto& chain : found.chains)
    if (!chains.contains(chain)) out += ":" + chain + " - [0:0]\n";
  for (const auto& [chain, lines] : chains)
    for (const auto& line : lines) out += "-A " + chain + " " + line + "\n";
  // First things first: the last to be inserted stands on top.
  for (auto j = jumps.rbegin(); j != jumps.rend(); ++j) {
    if (j->table != table) continue;
    bool there = false;
    for (const auto& line : found.jumps) there = there || (line.starts_with("-A " + j->chain + " ") && last_word(line) == last_word(j->rule));
    if (!there) out += "-I " + j->chain + " 1 " + j->rule + "\n";
  }
  for (const auto& chain : found.chains)
    if (!chains.contains(chain)) out += "-X " + chain + "\n";
  return out + "COMMIT\n";
}

std::string removal_text(const std::string& table, const Found& found) {
  if (found.chains.empty() && found.jumps.empty()) return {};
  std::string out = "*" + table + "\n";
  for (const auto& chain : found.chains) out += ":" + chain + " - [0:0]\n";
  for (const auto& line : found.jumps) out += "-D" + line.substr(2) + "\n";
  for (const auto& chain : found.chains) out += "-X " + chain + "\n";
  return out + "COMMIT\n";
}

std::string IptablesProgram::program(const char* what) const {
  return std::string(family_ == Family::kIPv4 ? "iptables" : "ip6tables") + (variant_.empty() ? "" : "-" + variant_) + what;
}

std::string IptablesProgram::save(const std::string& table) const {
  auto result = run_program({program("-save"), "-t", table}, "", kPatience);
  if (result.exit_code != 0) throw sdk::Failure(LOTSE_UNAVAILABLE, program("-save") + " failed: " + result.err);
  return std::move(result.out);
}

void IptablesProgram::restore(const std::string& text) const {
  if (text.empty()) return;
  auto result = run_program({program("-restore"), "--noflush", "--wait", "10"}, text, kPatience);
  if (result.exit_code != 0) throw sdk::Failure(LOTSE_UNAVAILABLE, program("-restore") + " refused the rules: " + result.err);
}

void IptablesProgram::require(const std::string& mode) const {
  auto found = run_program({program(""), "--version"}, "", std::chrono::seconds(10));
  if (found.exit_code != 0)
    throw sdk::Failure(LOTSE_UNSUPPORTED, "the " + mode + " proxy needs the program iptables (Debian: apt-get install iptables): " + found.err);
}

}  // namespace lotse::service_table
