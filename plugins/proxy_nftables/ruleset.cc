#include "plugins/proxy_nftables/ruleset.h"

namespace lotse::proxy_nftables {
namespace {

const Service* find(const Ruleset::Services& services, const std::string& id) {
  auto it = services.find(id);
  return it == services.end() ? nullptr : &it->second;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) text.replace(at, what.size(), by);
}

// Rules of a chain as commands.
void add_rules(std::string& out, const std::string& table, const std::string& chain, const std::string& rules) {
  for (size_t at = 0; at < rules.size();) {
    const size_t end = rules.find('\n', at);
    out += "add rule " + table + " " + chain + " " + rules.substr(at, end - at) + "\n";
    at = end + 1;
  }
}

}  // namespace

// What goes and what comes; what does both stays.
struct Ruleset::Delta {
  std::set<Element> gone, come;
  std::map<std::string, std::string> chains_gone, chains_come;  // name -> rules
  std::map<std::string, std::string> sets_gone, sets_come;

  template <class Set, class Value>
  static void swap_in(Set& from, Set& to, const Value& v) {
    if (auto it = from.find(v); it != from.end()) from.erase(it);
    else to.insert(v);
  }
  void add(const Element& e) { swap_in(gone, come, e); }
  void remove(const Element& e) { swap_in(come, gone, e); }
};

void Ruleset::admit(const std::string& id, const Share& share, Delta* delta) {
  for (const auto& door : share.doors) {
    auto [it, mine] = owners_.try_emplace(door.at, id);
    if (!mine && it->second != id) {
      waiting_[door.at].insert(id);
      continue;
    }
    for (const auto& e : door.elements) delta->add(e);
    for (const auto& chain : door.chains)
      if (++chains_[chain] == 1 && delta->chains_gone.erase(chain) == 0) delta->chains_come[chain] = chain_rules(chain, family_);
  }
  for (const auto& ip : share.hairpins)
    if (++hairpins_[ip] == 1) delta->add({"hairpins", ip + " . " + ip, ""});
  for (const auto& [name, set] : share.sets) {
    sets_.insert(name);
    auto was = delta->sets_gone.find(name);
    if (was != delta->sets_gone.end() && was->second == set) delta->sets_gone.erase(was);
    else delta->sets_come[name] = set;
  }
  for (const auto& [name, rules] : share.chains) {
    auto was = delta->chains_gone.find(name);
    if (was != delta->chains_gone.end() && was->second == rules) delta->chains_gone.erase(was);
    else delta->chains_come[name] = rules;
  }
}

void Ruleset::withdraw(const std::string& id, const Share& share, Delta* delta) {
  for (const auto& door : share.doors) {
    auto it = owners_.find(door.at);
    if (it == owners_.end() || it->second != id) {
      if (auto w = waiting_.find(door.at); w != waiting_.end() && w->second.erase(id) && w->second.empty()) waiting_.erase(w);
      continue;
    }
    owners_.erase(it);
    for (const auto& e : door.elements) delta->remove(e);
    for (const auto& chain : door.chains)
      if (auto c = chains_.find(chain); c != chains_.end() && --c->second == 0) {
        chains_.erase(c);
        delta->chains_gone[chain] = chain_rules(chain, family_);
      }
  }
  for (const auto& ip : share.hairpins)
    if (auto h = hairpins_.find(ip); h != hairpins_.end() && --h->second == 0) {
      hairpins_.erase(h);
      delta->remove({"hairpins", ip + " . " + ip, ""});
    }
  for (const auto& [name, set] : share.sets) sets_.erase(name), delta->sets_gone[name] = set;
  for (const auto& [name, rules] : share.chains) delta->chains_gone[name] = rules;
}

// The ids themselves, and all that want a door which one of them has, had or wants.
std::set<std::string> Ruleset::concerned(const Services& before, const std::set<std::string>& ids, const Services& services, const Facts& facts) const {
  std::set<std::string> all = ids;
  std::vector<std::string> open(ids.begin(), ids.end());
  while (!open.empty()) {
    const std::string id = std::move(open.back());
    open.pop_back();
    auto join = [&](const std::string& other) {
      if (all.insert(other).second) open.push_back(other);
    };
    const Service* was = ids.contains(id) ? find(before, id) : nullptr;
    for (const Service* s : {was, find(services, id)}) {
      if (!s) continue;
      for (const auto& door : share_of(*s, facts, family_).doors) {
        if (auto it = owners_.find(door.at); it != owners_.end()) join(it->second);
        if (auto it = waiting_.find(door.at); it != waiting_.end())
          for (const auto& other : it->second) join(other);
      }
    }
  }
  return all;
}

std::string Ruleset::change(const Services& before, const std::set<std::string>& ids, const Services& services, const Facts& facts) {
  Delta delta;
  const auto all = concerned(before, ids, services, facts);
  for (const auto& id : all)
    if (const Service* was = ids.contains(id) ? find(before, id) : find(services, id)) withdraw(id, share_of(*was, facts, family_), &delta);
  for (const auto& id : all)
    if (const Service* now = find(services, id)) admit(id, share_of(*now, facts, family_), &delta);
  return text(delta);
}

std::string Ruleset::full(const Services& services, const Facts& facts) {
  owners_.clear();
  waiting_.clear();
  hairpins_.clear();
  chains_.clear();
  sets_.clear();
  Delta delta;
  for (const auto& [id, service] : services) admit(id, share_of(service, facts, family_), &delta);
  return removal() + frame(facts) + text(delta);
}

std::string Ruleset::removal() const {
  const std::string t = word(family_);
  return "add table " + t + " lotse\ndelete table " + t + " lotse\n";
}

std::map<std::string, std::string> Ruleset::waiting() const {
  std::map<std::string, std::string> out;
  for (const auto& [door, ids] : waiting_)
    for (const auto& id : ids) out.emplace(id, door + " belongs to " + owners_.at(door));
  return out;
}

std::string Ruleset::text(const Delta& delta) const {
  const std::string table = std::string(word(family_)) + " lotse";
  std::string out;
  for (const auto& [name, set] : delta.sets_come)
    if (!delta.sets_gone.contains(name)) out += "add set " + table + " " + name + " { " + set + " }\n";
  for (const auto& [name, rules] : delta.chains_come)
    if (!delta.chains_gone.contains(name)) out += "add chain " + table + " " + name + "\n";
  for (const auto& [name, rules] : delta.chains_gone) out += "flush chain " + table + " " + name + "\n";
  // A set whose timeout has changed is another set; nothing refers to it now.
  for (const auto& [name, set] : delta.sets_gone)
    if (delta.sets_come.contains(name)) out += "delete set " + table + " " + name + "\nadd set " + table + " " + name + " { " + delta.sets_come.at(name) + " }\n";
  auto elements = [&](const char* verb, const std::set<Element>& some, bool values) {
    std::map<std::string, std::string> lists;
    for (const auto& e : some) {
      std::string& list = lists[e.map];
      list += list.empty() ? "" : ", ";
      list += e.key;
      if (values && !e.value.empty()) list += " : " + e.value;
    }
    for (const auto& [map, list] : lists) out += std::string(verb) + " element " + table + " " + map + " { " + list + " }\n";
  };
  elements("delete", delta.gone, false);
  for (const auto& [name, rules] : delta.chains_come) add_rules(out, table, name, rules);
  elements("add", delta.come, true);
  for (const auto& [name, rules] : delta.chains_gone)
    if (!delta.chains_come.contains(name)) out += "delete chain " + table + " " + name + "\n";
  for (const auto& [name, set] : delta.sets_gone)
    if (!delta.sets_come.contains(name)) out += "delete set " + table + " " + name + "\n";
  return out;
}

// Maps, sets and the chains that are always there.
std::string Ruleset::frame(const Facts& facts) const {
  std::string out = R"(table F lotse {
  map services { type A . inet_proto . inet_service : verdict; }
  map services_local { type A . inet_proto . inet_service : verdict; }
  map node_ports { type inet_proto . inet_service : verdict; }
  map node_ports_local { type inet_proto . inet_service : verdict; }
  map endpoints { typeof F daddr . meta l4proto . th dport . numgen random mod 256 : F daddr . th dport; }
  map endpoints_local { typeof F daddr . meta l4proto . th dport . numgen random mod 256 : F daddr . th dport; }
  map node_endpoints { typeof meta l4proto . th dport . numgen random mod 256 : F daddr . th dport; }
  map node_endpoints_local { typeof meta l4proto . th dport . numgen random mod 256 : F daddr . th dport; }
  map no_endpoints { type A . inet_proto . inet_service : verdict; }
  map no_endpoint_ports { type inet_proto . inet_service : verdict; }
  set guarded { type A . inet_proto . inet_service; }
  set allowed { type A . inet_proto . inet_service . A; flags interval; }
  set hairpins { type A . A; }
  set pods { type A; flags interval; PODS }
  chain refuse { reject; }
  chain services {
    F daddr . meta l4proto . th dport vmap @services
    NODES fib daddr type local meta l4proto . th dport vmap @node_ports
  }
  chain unserved {
    F daddr . meta l4proto . th dport vmap @no_endpoints
    NODES fib daddr type local meta l4proto . th dport vmap @no_endpoint_ports
  }
  chain guard { F daddr . meta l4proto . th dport @guarded F daddr . meta l4proto . th dport . F saddr != @allowed drop; }
  chain nat_prerouting { type nat hook prerouting priority -100; jump services; }
  chain nat_output { type nat hook output priority -100; jump services; }
  chain nat_postrouting {
    type nat hook postrouting priority 100
    meta mark & 0x4000 == 0x4000 meta mark set meta mark and 0xffffbfff masquerade fully-random
    F saddr . F daddr @hairpins masquerade fully-random
  }
  chain guard_prerouting { type filter hook prerouting priority -110; ct state new jump guard; }
  chain guard_output { type filter hook output priority -110; ct state new jump guard; }
  chain input { type filter hook input priority -10; ct state new jump unserved; }
  chain forward { type filter hook forward priority -10; ct state new jump unserved; }
  chain output { type filter hook output priority -10; ct state new jump unserved; }
}
)";
  const auto pods = service_table::of_family(facts.cluster_cidrs.empty() ? facts.pod_cidrs : facts.cluster_cidrs, family_, true);
  std::string list;
  for (const auto& cidr : pods) list += (list.empty() ? "" : ", ") + cidr;
  // Where nothing is known of pods nobody is taken for an outsider.
  if (list.empty()) list = family_ == Family::kIPv4 ? "0.0.0.0/0" : "::/0";
  replace_all(out, "PODS", "auto-merge; elements = { " + list + " };");
  std::string nodes;
  for (const auto& cidr : service_table::of_family(facts.node_port_addresses, family_, true)) nodes += (nodes.empty() ? "" : ", ") + cidr;
  nodes = nodes.empty() ? family_ == Family::kIPv4 ? "ip daddr != 127.0.0.0/8" : "" : "F daddr { " + nodes + " }";
  replace_all(out, "NODES", nodes);
  replace_all(out, " A;", family_ == Family::kIPv4 ? " ipv4_addr;" : " ipv6_addr;");
  replace_all(out, " A .", family_ == Family::kIPv4 ? " ipv4_addr ." : " ipv6_addr .");
  replace_all(out, "F ", std::string(word(family_)) + " ");
  return out;
}

}  // namespace lotse::proxy_nftables
