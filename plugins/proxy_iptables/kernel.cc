#include "plugins/proxy_iptables/kernel.h"

namespace lotse::proxy_iptables {
namespace {

// The shared chains of a table, and a Service's lines in each.
std::vector<std::pair<std::string, const std::set<std::string>*>> shared(const std::string& table, const ServiceRules& r) {
  if (table == "nat") return {{kServices, &r.services}, {kNodePorts, &r.node_ports}};
  return {{kReject, &r.reject}};
}

void begin_chain(std::string& out, const std::string& chain) { out += ":" + chain + " - [0:0]\n"; }
void append(std::string& out, const std::string& chain, const std::string& rule) { out += "-A " + chain + " " + rule + "\n"; }

}  // namespace

std::string full_text(const std::string& table, const RulesById& rules, Family family, const Found& found) {
  const auto fixed = table == "nat" ? fixed_nat_chains() : fixed_filter_chains(family);
  std::map<std::string, Lines> chains(fixed.begin(), fixed.end());
  for (const auto& [id, r] : rules) {
    if (table == "nat") chains.insert(r.chains.begin(), r.chains.end());
    for (const auto& [chain, lines] : shared(table, r))
      for (const auto& line : *lines) chains[chain].push_back(line);
  }
  for (const auto& [chain, lines] : shared(table, {})) chains[chain];
  return table_text(table, chains, jumps(family), found);
}

std::string change_text(const std::string& table, const RulesById& before, const RulesById& after, const std::set<std::string>& ids) {
  static const ServiceRules none;
  std::string heads, deletions, rules, additions, removals;
  for (const auto& id : ids) {
    auto b = before.find(id);
    auto a = after.find(id);
    const ServiceRules& was = b == before.end() ? none : b->second;
    const ServiceRules& is = a == after.end() ? none : a->second;
    if (table == "nat") {
      for (const auto& [chain, lines] : is.chains) {
        auto old = was.chains.find(chain);
        if (old != was.chains.end() && old->second == lines) continue;
        begin_chain(heads, chain);
        for (const auto& line : lines) append(rules, chain, line);
      }
      for (const auto& [chain, lines] : was.chains) {
        if (is.chains.contains(chain)) continue;
        begin_chain(heads, chain);
        removals += "-X " + chain + "\n";
      }
    }
    const auto old = shared(table, was), now = shared(table, is);
    for (size_t i = 0; i < old.size(); ++i) {
      for (const auto& line : *old[i].second)
        if (!now[i].second->contains(line)) deletions += "-D " + old[i].first + " " + line + "\n";
      for (const auto& line : *now[i].second)
        if (!old[i].second->contains(line)) append(additions, now[i].first, line);
    }
  }
  if (heads.empty() && deletions.empty() && additions.empty()) return {};
  return "*" + table + "\n" + heads + deletions + rules + additions + removals + "COMMIT\n";
}

void Kernel::resync(RulesById rules) {
  std::string text;
  for (const char* table : {"nat", "filter"}) text += full_text(table, rules, family_, parse_save(iptables_.save(table), kPrefix));
  rules_.clear();
  iptables_.restore(text);
  rules_ = std::move(rules);
}

void Kernel::change(RulesById rules, const std::set<std::string>& ids) {
  iptables_.restore(change_text("nat", rules_, rules, ids) + change_text("filter", rules_, rules, ids));
  for (const auto& id : ids) {
    auto it = rules.find(id);
    if (it == rules.end()) rules_.erase(id);
    else rules_[id] = std::move(it->second);
  }
}

void Kernel::remove_all() {
  std::string text;
  for (const char* table : {"nat", "filter"}) text += removal_text(table, parse_save(iptables_.save(table), kPrefix));
  rules_.clear();
  iptables_.restore(text);
}

}  // namespace lotse::proxy_iptables
