// ServiceTable: the Services as the plugin was last told of them. What cannot be used is a problem and no Service.
#pragma once
#include "plugins/service_table/table.h"

namespace lotse::service_table {

class ServiceTable {
 public:
  // What a call has touched: ids, and those of them that were there before, as they were.
  struct Changes {
    std::set<std::string> ids;
    std::map<std::string, Service> before;
  };
  Changes resync(const sdk::Msg& table);   // {services, node and cluster facts}: nothing else is left
  Changes apply(const sdk::Msg& changes);  // {set, removed}
  void clear();

  const Facts& facts() const { return facts_; }
  const std::map<std::string, Service>& services() const { return services_; }
  const Service* find(const std::string& id) const;
  // Whether the cluster's addresses are of this family (too).
  bool has_family(Family family) const;
  const std::map<std::string, Problem>& problems() const { return problems_; }

 private:
  void put(const sdk::Msg& entry);
  Facts facts_;
  std::map<std::string, Service> services_;
  std::map<std::string, Problem> problems_;
};

// {problems} as the contract's answers have it.
sdk::Msg problem_list(const std::map<std::string, Problem>& problems, const std::vector<Problem>& more = {});

}  // namespace lotse::service_table
