// Kernel: everything that the ipvs mode has in the kernel: sets, rules, virtual services, the interface with the addresses. It remembers
// what was wanted, Service by Service, to write only what a change touches. Not thread-safe. [worker] Throws sdk::Failure.
#pragma once
#include "plugins/proxy_ipvs/holder.h"
#include "plugins/proxy_ipvs/ipvs.h"
#include "plugins/proxy_ipvs/virtual_services.h"
#include "plugins/service_table/iptables_program.h"
#include "plugins/service_table/service_table.h"

namespace lotse::proxy_ipvs {

class Kernel {
 public:
  struct Settings {
    std::string scheduler, variant;  // variant: of iptables; "", "nft", "legacy"
    std::chrono::nanoseconds patience;
  };
  explicit Kernel(Settings settings);

  // LOTSE_UNSUPPORTED in a sentence where the kernel lacks what is needed.
  void require();
  // Both return what could not be done, each of one Service. apply falls back to resync where it must.
  std::vector<Problem> resync(const ServiceTable& table);
  std::vector<Problem> apply(const ServiceTable& table, const std::set<std::string>& ids);
  void remove_all();
  // Endpoints that wait for the end of their connections.
  bool draining() const { return services_.draining(); }
  void collect();

 private:
  Wanted wanted_of_all_families(const Service& service, const Facts& facts) const;
  void count(const Wanted& wanted, int by, std::map<Member, int>* changes);
  std::set<std::string> inside(Family family) const;
  std::vector<Problem> change(const ServiceTable& table, const std::set<std::string>& ids);
  Ipvs& ipvs();

  Settings settings_;
  std::unique_ptr<Ipvs> ipvs_;
  VirtualServices services_;
  std::vector<Family> families_;
  std::map<Family, Addresses> addresses_;
  std::map<std::string, Wanted> wanted_;       // by the Service port's id
  std::map<Member, int> members_;              // how many want each
  std::map<Family, std::set<std::string>> inside_;  // as it was written
  std::map<VirtualKey, std::string> holders_;  // which Service port has it
  std::map<std::string, Problem> problems_;
  bool contested_ = false;  // two Services want one address and port
  bool in_doubt_ = true;    // the kernel may not hold what we think: write everything next time
};

}  // namespace lotse::proxy_ipvs
