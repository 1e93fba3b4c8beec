#include "plugins/service_table/service_table.h"

namespace lotse::service_table {

void ServiceTable::put(const sdk::Msg& entry) {
  Service s;
  Problem problem;
  if (parse_service(entry, &s, &problem)) {
    services_[s.id] = std::move(s);
  } else {
    services_.erase(problem.id);
    problems_[problem.id] = problem;
  }
}

ServiceTable::Changes ServiceTable::resync(const sdk::Msg& table) {
  Changes changes;
  facts_ = parse_facts(table);
  changes.before = std::move(services_);
  services_.clear();
  problems_.clear();
  for (const auto& entry : table["services"].items()) put(entry);
  for (const auto* list : {&changes.before, &services_})
    for (const auto& [id, s] : *list) changes.ids.insert(id);
  return changes;
}

ServiceTable::Changes ServiceTable::apply(const sdk::Msg& told) {
  Changes changes;
  auto touch = [&](const std::string& id) {
    if (auto it = services_.find(id); it != services_.end()) changes.before.try_emplace(id, it->second);
    changes.ids.insert(id);
    problems_.erase(id);
  };
  for (const auto& id : told["removed"].as_strings()) {
    touch(id);
    services_.erase(id);
  }
  for (const auto& entry : told["set"].items()) {
    touch(entry["id"].str());
    put(entry);
  }
  return changes;
}

void ServiceTable::clear() {
  services_.clear();
  problems_.clear();
}

const Service* ServiceTable::find(const std::string& id) const {
  auto it = services_.find(id);
  return it == services_.end() ? nullptr : &it->second;
}

bool ServiceTable::has_family(Family family) const {
  for (const auto* list : {&facts_.pod_cidrs, &facts_.cluster_cidrs})
    if (!of_family(*list, family, true).empty()) return true;
  return false;
}

sdk::Msg problem_list(const std::map<std::string, Problem>& problems, const std::vector<Problem>& more) {
  sdk::Msg list = sdk::Msg::array();
  auto push = [&list](const Problem& p) { list.push(sdk::Msg::map({{"id", p.id}, {"reason", p.reason}, {"message", p.message}})); };
  for (const auto& [id, p] : problems) push(p);
  for (const auto& p : more) push(p);
  return sdk::Msg::map({{"problems", list}});
}

}  // namespace lotse::service_table
