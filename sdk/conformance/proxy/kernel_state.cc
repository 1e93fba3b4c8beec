#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

std::string without(std::string line, const char* pattern, const char* by = "") {
  return std::regex_replace(line, std::regex(pattern), by);
}

// Tables that iptables keeps in nftables are told by iptables-save; it never takes away their empty base chains.
bool outside_iptables(const std::string& line, bool* inside) {
  static const std::regex theirs(R"(table (ip|ip6) (nat|filter|mangle|raw|security) \{)");
  if (line.starts_with("table ")) *inside = std::regex_match(line, theirs);
  return !*inside;
}

// A program that is not there has nothing to tell.
void collect(std::vector<std::string>* out, const std::string& head, const std::vector<std::string>& argv,
             char separator = '\n') {
  std::string text;
  if (try_program(argv, {}, &text) != 0) return;
  std::replace(text.begin(), text.end(), separator, '\n');
  std::istringstream lines(text);
  bool table_of_iptables = false;
  for (std::string line; std::getline(lines, line);) {
    if (head == "address: " && line.find(" fe80:") != line.npos) continue;  // the kernel's own
    line = without(
        line,
        R"(elements = \{|\[\d+:\d+\]| expires \S+|counter packets \d+ bytes \d+| # handle \d+| hashsize \d+| initval \S+| fe80::\S+|\b(UP|DOWN|UNKNOWN|LOWERLAYERDOWN)\b)");
    if (head == "link: ") line = without(line, R"(([0-9a-f]{2}:){5}[0-9a-f]{2})");  // chosen anew with each link
    if (head == "address: ") line = without(line, R"(^\d+:|\btentative\b)");
    line = without(line, R"([ \t]+)", " ");
    line = without(line, R"(^[ \t]+|[ \t]*\}?$)");
    if (line.empty() || line.starts_with("#") || (head == "nft: " && !outside_iptables(line, &table_of_iptables)))
      continue;
    out->push_back(head + line);
  }
}

}  // namespace

std::vector<std::string> kernel_state() {
  std::vector<std::string> out;
  for (const char* program :
       {"iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save"})
    collect(&out, std::string(program) + ": ", {program});
  collect(&out, "nft: ", {"nft", "-n", "list", "ruleset"}, ',');
  collect(&out, "ipset: ", {"ipset", "save"});
  collect(&out, "link: ", {"ip", "-br", "link"});
  for (const char* family : {"-4", "-6"}) collect(&out, "address: ", {"ip", family, "-o", "address"});
  collect(&out, "rule: ", {"ip", "rule"});
  collect(&out, "rule: ", {"ip", "-6", "rule"});
  collect(&out, "route: ", {"ip", "route", "show", "table", "all"});
  std::ifstream ipvs("/proc/net/ip_vs");
  for (std::string line; std::getline(ipvs, line);)
    out.push_back("ipvs: " + without(line, R"(\d+\s+\d+\s*$)"));  // without connections
  std::sort(out.begin(), out.end());
  return out;
}

void expect_same_state(const std::vector<std::string>& is, const std::vector<std::string>& should,
                       const std::string& what) {
  std::vector<std::string> more, less;
  std::set_difference(is.begin(), is.end(), should.begin(), should.end(), std::back_inserter(more));
  std::set_difference(should.begin(), should.end(), is.begin(), is.end(), std::back_inserter(less));
  if (more.empty() && less.empty()) return;
  std::string text = what + ": the kernel has";
  for (size_t i = 0; i < more.size() && i < 6; ++i) text += " [" + more[i] + "]";
  text += " and lacks";
  for (size_t i = 0; i < less.size() && i < 6; ++i) text += " [" + less[i] + "]";
  require(false, text);
}

}  // namespace lotse::conformance
