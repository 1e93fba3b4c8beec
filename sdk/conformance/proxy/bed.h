// What every proxy mode must do. A case gets a bed: the lab, an instance of the plugin in its node, and words to write
// tables with.
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lotse/abi/proxy.h"
#include "sdk/conformance/call.h"
#include "sdk/conformance/proxy/lab.h"

namespace lotse::conformance {

struct TestEndpoint {
  std::string ip;
  bool local = true, ready = true, serving = true, terminating = false;
  int port = 8080;
};

// A Service port with the defaults that most cases want.
struct TestService {
  std::string id = "default/web:http", protocol = "TCP";
  std::vector<std::string> cluster_ips = {"10.96.0.20"};
  int port = 80, node_port = 0;
  std::vector<std::string> external_ips = {}, load_balancer_ips = {}, source_ranges = {};
  int affinity_s = 0;
  bool internal_local = false, external_local = false;
  std::vector<TestEndpoint> endpoints = {};
  Msg msg() const;
};

class ProxyBed {
 public:
  ProxyBed(std::function<const lotse_proxy*()> make, bool loopback, uint64_t seed);
  ~ProxyBed();
  void restart();  // a new instance, which knows nothing of what the old one did
  Lab& lab() { return lab_; }
  uint64_t seed() const { return seed_; }

  Msg info();
  bool has_feature(const std::string& name);
  Answer try_resync(const std::vector<Msg>& services);
  Msg resync(const std::vector<TestService>& services);
  Msg apply(const std::vector<TestService>& set, const std::vector<std::string>& removed = {});
  Answer ask(lotse_message_fn lotse_proxy::*function, const Msg& request);
  void remove_all();
  bool six() const { return lab_.has_ipv6() && six_; }  // the machine and the plugin have IPv6

  // Endpoints of the lab's pods.
  TestEndpoint at(const std::string& pod, bool ipv6 = false) const;

  // Each throws Wrong with a sentence that names `what`.
  Outcome expect_answer(const std::string& from, const std::string& ip, int port, const std::string& what,
                        Protocol p = Protocol::kTcp, const std::string& from_ip = {});
  void expect_from(const std::set<std::string>& pods, const std::string& from, const std::string& ip, int port,
                   const std::string& what, Protocol p = Protocol::kTcp);
  void expect_refused(const std::string& from, const std::string& ip, int port, const std::string& what,
                      Protocol p = Protocol::kTcp);
  void expect_silence(const std::string& from, const std::string& ip, int port, const std::string& what,
                      Protocol p = Protocol::kTcp, const std::string& from_ip = {});
  void expect_no_answer(const std::string& from, const std::string& ip, int port, const std::string& what,
                        Protocol p = Protocol::kTcp);

 private:
  struct Loopback;
  void begin();
  void end();
  std::function<const lotse_proxy*()> make_;
  const bool loopback_;
  const uint64_t seed_;
  Lab& lab_;
  const lotse_proxy* proxy_ = nullptr;
  std::unique_ptr<Loopback> outer_;
  bool six_ = false;
};

// All that the node's kernel holds which a proxy might touch, as sorted lines without counters, handles and remaining
// times.
std::vector<std::string> kernel_state();
// Wrong with the first lines that differ.
void expect_same_state(const std::vector<std::string>& is, const std::vector<std::string>& should,
                       const std::string& what);

struct ProxyCase {
  const char* name;
  const char* says;
  bool slow;  // runs directly only
  void (*run)(ProxyBed& bed);
  bool needs_traffic = true;  // left out where the plugin names no family: such a mode sends none
};
std::vector<ProxyCase> address_cases();
std::vector<ProxyCase> policy_cases();
std::vector<ProxyCase> change_cases();
std::vector<ProxyCase> neighbour_cases();
std::vector<ProxyCase> family_cases();

}  // namespace lotse::conformance
