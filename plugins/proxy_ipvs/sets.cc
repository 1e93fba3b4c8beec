#include "plugins/proxy_ipvs/sets.h"

#include <sstream>

#include "lotse/error.hpp"
#include "plugins/proxy_ipvs/fixed_rules.h"
#include "plugins/service_table/program.h"

namespace lotse::proxy_ipvs {
namespace {
constexpr std::chrono::seconds kPatience{60};
}

std::string whole_sets_text(Family family, const std::set<Member>& members) {
  std::string begin, add, end;
  for (Set set : kSets) {
    const std::string name = set_name(family, set), fresh = name + "-NEW", type = set_type(family, set);
    begin += "create " + name + " " + type + "\ncreate " + fresh + " " + type + "\nflush " + fresh + "\n";
    end += "swap " + fresh + " " + name + "\ndestroy " + fresh + "\n";
  }
  for (const auto& m : members)
    if (m.family == family) add += "add " + set_name(family, m.set) + "-NEW " + m.entry + "\n";
  return begin + add + end;
}

std::string set_changes_text(const std::set<Member>& removed, const std::set<Member>& added) {
  std::string out;
  for (const auto& m : removed) out += "del " + set_name(m.family, m.set) + " " + m.entry + "\n";
  for (const auto& m : added) out += "add " + set_name(m.family, m.set) + " " + m.entry + "\n";
  return out;
}

std::string set_removal_text(const std::string& names) {
  std::string out;
  std::istringstream lines(names);
  for (std::string name; std::getline(lines, name);)
    if (name.starts_with("LOTSEVS4-") || name.starts_with("LOTSEVS6-")) out += "destroy " + name + "\n";
  return out;
}

void require_ipset() {
  auto found = run_program({"ipset", "--version"}, "", std::chrono::seconds(10));
  if (found.exit_code < 0 || found.exit_code == 127)
    throw sdk::Failure(LOTSE_UNSUPPORTED, "the ipvs proxy needs the program ipset (Debian: apt-get install ipset): " + found.err);
}

// -exist: what is there already, or is no longer there, is no error.
void restore_sets(const std::string& text) {
  if (text.empty()) return;
  auto result = run_program({"ipset", "-exist", "restore"}, text, kPatience);
  if (result.exit_code == 0) return;
  const bool lacking = result.err.find("Kernel support protocol versions") != result.err.npos || result.err.find("protocol not supported") != result.err.npos ||
                       result.err.find("Cannot open session") != result.err.npos;
  if (lacking) throw sdk::Failure(LOTSE_UNSUPPORTED, "this kernel has no ipset (module ip_set), which the ipvs proxy needs: " + result.err);
  throw sdk::Failure(LOTSE_UNAVAILABLE, "ipset refused the sets: " + result.err);
}

std::string list_sets() {
  auto result = run_program({"ipset", "list", "-n"}, "", kPatience);
  if (result.exit_code != 0) throw sdk::Failure(LOTSE_UNAVAILABLE, "ipset could not list the sets: " + result.err);
  return std::move(result.out);
}

}  // namespace lotse::proxy_ipvs
