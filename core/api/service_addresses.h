// Cluster IPs and node ports. Each that is taken is an object of its own (resources lotse/serviceips and lotse/nodeports, by name) made
// before the Service and guarded in the Service's commit, so that no two services ever hold the same. What a request took and did not
// use is given back; what a crash left over is found by repair.
#pragma once
#include <memory>

#include "core/api/address_range.h"
#include "core/api/call.h"
#include "core/api/server.h"

namespace lotse::api {

inline constexpr std::string_view kServiceIps = "lotse/serviceips", kNodePorts = "lotse/nodeports";

// What one request has taken.
class Addresses {
 public:
  explicit Addresses(store::Store& store) : store_(store) {}
  const std::vector<store::Guard>& guards() const { return taken_; }
  void keep();       // the Service is stored: what it no longer needs goes
  void give_back();  // it is not

 private:
  friend class ServiceAddresses;
  friend struct AddressRun;
  store::Store& store_;
  std::vector<store::Guard> taken_;
  std::vector<store::Key> unneeded_;
};
using AddressesPtr = std::shared_ptr<Addresses>;

class ServiceAddresses {
 public:
  ServiceAddresses(store::Store& store, const ServerConfig& config, Clock& clock);
  // Completes spec.clusterIP(s), ipFamilies, ipFamilyPolicy and node ports. REQUIRES: *service lives until done.
  void assign(const CallPtr& call, json::Value* service, const json::Value* old, std::function<void(Result<AddressesPtr>)> done);
  // A service is gone; nothing for other resources.
  void release(std::string_view stored, const ObjectPtr& service);
  // [worker] Reservations whose service does not exist are removed; services without reservation get theirs.
  void repair();

  const std::vector<AddressRange>& ranges() const { return ranges_; }
  std::pair<int, int> ports() const { return config_.node_ports; }
  store::Store& store() { return store_; }

 private:
  store::Store& store_;
  const ServerConfig& config_;
  Clock& clock_;
  std::vector<AddressRange> ranges_;
};

// What a service holds: keys of reservations.
std::vector<store::Key> held_by(const json::Value& service);

}  // namespace lotse::api
