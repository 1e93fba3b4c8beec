// The ipvs proxy: keeps the checked table, brings it to the kernel, and comes back for endpoints whose connections have yet to end.
#pragma once
#include "lotse/proxy.hpp"
#include "plugins/proxy_ipvs/kernel.h"

namespace lotse::proxy_ipvs {

class IpvsProxy : public sdk::Proxy {
 public:
  IpvsProxy(const sdk::Host& host, const sdk::Config& config);
  ~IpvsProxy() override;
  static std::vector<lotse_key> keys();
  void info(const sdk::Msg& request, sdk::Call call) override;
  void resync(const sdk::Msg& table, sdk::Call call) override;
  void apply(const sdk::Msg& changes, sdk::Call call) override;
  void remove_all(const sdk::Msg& request, sdk::Call call) override;

 private:
  // Calls come one at a time, the timer's work comes beside them, also when the plugin has gone.
  struct Gate {
    std::mutex mutex;
    bool open = true;
  };
  // Runs what changes the kernel; what the kernel lacks is told as a fault until it is there.
  template <class Fn> auto with_kernel(Fn fn);
  sdk::Msg problems(const std::vector<Problem>& of_kernel) const;
  void come_back();
  void collect();

  std::string scheduler_;
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  ServiceTable table_;
  Kernel kernel_;
  bool coming_back_ = false, at_fault_ = false;
  sdk::Host::Timer timer_;
};

}  // namespace lotse::proxy_ipvs
