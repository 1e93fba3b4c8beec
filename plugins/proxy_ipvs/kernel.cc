#include "plugins/proxy_ipvs/kernel.h"

#include "lotse/error.hpp"
#include "plugins/proxy_ipvs/fixed_rules.h"
#include "plugins/proxy_ipvs/sets.h"
#include "plugins/service_table/kernel_settings.h"

namespace lotse::proxy_ipvs {
namespace {

auto now() { return std::chrono::steady_clock::now(); }

Problem in_use(const std::string& id, const VirtualKey& key, const std::string& by) {
  return {id, "AddressInUse", by + " has " + key.ip + ", " + key.protocol + " port " + std::to_string(key.port) + " already"};
}

std::vector<Problem> list(const std::map<std::string, Problem>& problems) {
  std::vector<Problem> out;
  for (const auto& [id, p] : problems) out.push_back(p);
  return out;
}

}  // namespace

Kernel::Kernel(Settings settings) : settings_(std::move(settings)), services_(settings_.scheduler, settings_.patience) {}

Ipvs& Kernel::ipvs() {
  if (!ipvs_) ipvs_ = Ipvs::open();
  return *ipvs_;
}

void Kernel::require() {
  ipvs().require_scheduler(settings_.scheduler);
  restore_sets("create LOTSEVS4-PODS-NEW " + set_type(Family::kIPv4, Set::kPods) + "\ndestroy LOTSEVS4-PODS-NEW\n");
}

Wanted Kernel::wanted_of_all_families(const Service& service, const Facts& facts) const {
  Wanted out;
  for (Family family : families_) {
    auto it = addresses_.find(family);
    Wanted one = wanted_of(service, facts, it == addresses_.end() ? Addresses() : it->second, family);
    out.virtuals.merge(one.virtuals);
    out.members.merge(one.members);
    out.inside.merge(one.inside);
  }
  return out;
}

std::set<std::string> Kernel::inside(Family family) const {
  std::set<std::string> out;
  for (const auto& [id, w] : wanted_)
    if (auto it = w.inside.find(family); it != w.inside.end()) out.insert(it->second.begin(), it->second.end());
  return out;
}

void Kernel::count(const Wanted& wanted, int by, std::map<Member, int>* changes) {
  for (const auto& m : wanted.members) {
    int& number = members_[m];
    const bool before = number > 0;
    number += by;
    const bool after = number > 0;
    if (before != after) (*changes)[m] += after ? 1 : -1;
    if (!after) members_.erase(m);
  }
}

std::vector<Problem> Kernel::resync(const ServiceTable& table) {
  in_doubt_ = true;
  require();
  families_ = {Family::kIPv4};
  if (table.has_family(Family::kIPv6)) families_.push_back(Family::kIPv6);
  let_forward(families_.size() > 1);
  write_sysctl("net/ipv4/vs/conntrack", "1");                  // or nothing could be masqueraded
  write_sysctl("net/ipv4/vs/expire_nodest_conn", "1");         // connections to what was removed end
  write_sysctl("net/ipv4/vs/expire_quiescent_template", "1");  // and clients are not kept at what is being removed
  addresses_ = machine_addresses(table.facts().node_port_addresses);
  wanted_.clear(), members_.clear(), holders_.clear(), problems_.clear();
  contested_ = false;

  std::map<VirtualKey, Virtual> virtuals;
  std::map<Member, int> ignored;
  for (const auto& [id, service] : table.services()) {
    Wanted w = wanted_of_all_families(service, table.facts());
    count(w, 1, &ignored);
    for (const auto& [key, v] : w.virtuals) {
      auto [it, fresh] = holders_.try_emplace(key, id);
      if (fresh) {
        virtuals[key] = v;
      } else {
        contested_ = true;
        problems_[id] = in_use(id, key, it->second);
      }
    }
    wanted_[id] = std::move(w);
  }
  std::set<Member> members;
  std::set<std::string> held;
  for (const auto& [m, number] : members_) {
    members.insert(m);
    if (m.set == Set::kAddresses) held.insert(m.entry);
  }
  for (Family family : families_) {
    members.merge(common_members(table.facts(), family));
    restore_sets(whole_sets_text(family, members));
    IptablesProgram iptables(family, settings_.variant);
    std::string text;
    inside_[family] = inside(family);
    for (const char* name : {"nat", "filter"}) text += table_text(name, chains_of(name, family, inside_[family]), fixed_jumps(), parse_save(iptables.save(name), kPrefix));
    iptables.restore(text);
  }
  try {
    for (auto& problem : services_.bring_all(ipvs(), virtuals, now())) problems_[problem.id] = problem;
  } catch (...) {
    ipvs_.reset();  // the socket may hold half an answer
    throw;
  }
  Holder().sync(held);
  in_doubt_ = false;
  return list(problems_);
}

std::vector<Problem> Kernel::apply(const ServiceTable& table, const std::set<std::string>& ids) {
  if (in_doubt_ || contested_ || addresses_ != machine_addresses(table.facts().node_port_addresses)) return resync(table);
  in_doubt_ = true;
  auto out = change(table, ids);
  if (contested_) return resync(table);
  in_doubt_ = false;
  return out;
}

std::vector<Problem> Kernel::change(const ServiceTable& table, const std::set<std::string>& ids) {
  std::map<Member, int> member_changes;
  std::map<VirtualKey, const Virtual*> virtuals;
  bool inside_may_differ = false;
  for (const auto& id : ids) {
    problems_.erase(id);
    auto old = wanted_.find(id);
    if (old == wanted_.end()) continue;
    count(old->second, -1, &member_changes);
    inside_may_differ |= !old->second.inside.empty();
    for (const auto& [key, v] : old->second.virtuals) {
      virtuals[key] = nullptr;
      holders_.erase(key);
    }
    wanted_.erase(old);
  }
  for (const auto& id : ids) {
    const Service* service = table.find(id);
    if (!service) continue;
    const Wanted& w = wanted_[id] = wanted_of_all_families(*service, table.facts());
    count(w, 1, &member_changes);
    inside_may_differ |= !w.inside.empty();
    for (const auto& [key, v] : w.virtuals) {
      if (!holders_.try_emplace(key, id).second) {
        contested_ = true;  // the whole is written anew, and tells
        return {};
      }
      virtuals[key] = &v;
    }
  }
  std::set<Member> added, removed;
  for (const auto& [m, by] : member_changes)
    if (by) (by > 0 ? added : removed).insert(m);
  restore_sets(set_changes_text(removed, added));
  if (inside_may_differ)
    for (Family family : families_)
      if (auto now = inside(family); now != inside_[family]) {
        IptablesProgram(family, settings_.variant).restore(inside_text(now));
        inside_[family] = std::move(now);
      }
  try {
    for (const auto& [key, v] : virtuals)
      if (auto problem = services_.bring(ipvs(), key, v, now())) problems_[problem->id] = *problem;
  } catch (...) {
    ipvs_.reset();
    throw;
  }
  Holder holder;
  for (const auto& m : removed)
    if (m.set == Set::kAddresses) holder.remove(m.entry);
  for (const auto& m : added)
    if (m.set == Set::kAddresses) holder.add(m.entry);
  return list(problems_);
}

void Kernel::collect() {
  try {
    services_.collect(ipvs(), now());
  } catch (...) {
    ipvs_.reset();
    in_doubt_ = true;
    throw;
  }
}

void Kernel::remove_all() {
  in_doubt_ = true;
  services_.forget();
  try {
    for (const auto& key : ipvs().ours()) ipvs().remove(key);
  } catch (const sdk::Failure& failure) {
    ipvs_.reset();
    if (failure.code() != LOTSE_UNSUPPORTED) throw;  // where there is no IPVS there is nothing of ours in it
  }
  for (Family family : {Family::kIPv4, Family::kIPv6}) {
    try {
      IptablesProgram iptables(family, settings_.variant);
      std::string text;
      for (const char* name : {"nat", "filter"}) text += removal_text(name, parse_save(iptables.save(name), kPrefix));
      iptables.restore(text);
    } catch (const sdk::Failure&) {
      if (family == Family::kIPv4) throw;  // a machine without IPv6 has nothing of ours there
    }
  }
  try {
    restore_sets(set_removal_text(list_sets()));
  } catch (const sdk::Failure& failure) {
    if (ipvs_ || failure.code() != LOTSE_UNSUPPORTED) throw;
  }
  Holder().destroy();
}

}  // namespace lotse::proxy_ipvs
