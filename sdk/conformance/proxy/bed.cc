#include "sdk/conformance/proxy/bed.h"

#include <thread>

#include "lotse/error.hpp"

namespace lotse::conformance {

Msg TestService::msg() const {
  Msg list = Msg::array();
  for (const auto& e : endpoints)
    list.push(Msg::map({{"ip", e.ip},
                        {"port", e.port},
                        {"local", e.local},
                        {"ready", e.ready},
                        {"serving", e.serving},
                        {"terminating", e.terminating}}));
  Msg m = Msg::map({{"id", id},
                    {"protocol", protocol},
                    {"cluster_ips", Msg::strings(cluster_ips)},
                    {"port", port},
                    {"affinity_s", affinity_s},
                    {"internal_local", internal_local},
                    {"external_local", external_local},
                    {"endpoints", list}});
  if (node_port) m.set("node_port", node_port);
  if (!external_ips.empty()) m.set("external_ips", Msg::strings(external_ips));
  if (!load_balancer_ips.empty()) m.set("load_balancer_ips", Msg::strings(load_balancer_ips));
  if (!source_ranges.empty()) m.set("source_ranges", Msg::strings(source_ranges));
  return m;
}

// Carries every call to another thread as a copy that dies when the plugin's function has returned.
struct ProxyBed::Loopback {
  const lotse_proxy* inner;
  lotse_proxy outer{};

  template <lotse_message_fn lotse_proxy::*Member>
  static void forward(void* self, lotse_bytes request, const lotse_call* call) {
    const lotse_proxy* to = static_cast<Loopback*>(self)->inner;
    std::thread([to, bytes = std::string(sdk::view(request)), copy = *call]() mutable {
      (to->*Member)(to->base.self, sdk::bytes(bytes), &copy);
      bytes.assign(bytes.size(), '\xc1');
    }).join();
  }
  explicit Loopback(const lotse_proxy* proxy) : inner(proxy) {
    outer.base = {sizeof outer, 0, this, [](void*) {}, [](void*, const char*) -> const void* { return nullptr; },
                  nullptr};
    outer.info = forward<&lotse_proxy::info>;
    outer.resync = forward<&lotse_proxy::resync>;
    outer.apply = forward<&lotse_proxy::apply>;
    outer.remove_all = forward<&lotse_proxy::remove_all>;
  }
};

ProxyBed::ProxyBed(std::function<const lotse_proxy*()> make, bool loopback, uint64_t seed)
    : make_(std::move(make)), loopback_(loopback), seed_(seed), lab_(Lab::here()) {
  begin();
  const Msg told = info();
  for (const auto& family : told["families"].items()) six_ = six_ || family.as_text() == "IPv6";
}
ProxyBed::~ProxyBed() {
  end();
}

void ProxyBed::begin() {
  proxy_ = make_();
  if (loopback_) outer_ = std::make_unique<Loopback>(proxy_);
}
void ProxyBed::end() {
  outer_.reset();
  if (proxy_ != nullptr) proxy_->base.destroy(proxy_->base.self);
  proxy_ = nullptr;
}
void ProxyBed::restart() {
  end();
  begin();
}

Answer ProxyBed::ask(lotse_message_fn lotse_proxy::*function, const Msg& request) {
  const lotse_proxy* proxy = outer_ ? &outer_->outer : proxy_;
  return call(proxy->base.self, proxy->*function, request.encode());
}

Msg ProxyBed::info() {
  Answer answer = ask(&lotse_proxy::info, Msg::map());
  require(answer.ok(), "info failed: " + answer.text);
  return answer.value;
}

bool ProxyBed::has_feature(const std::string& name) {
  const Msg told = info();
  for (const auto& f : told["features"].items())
    if (f.as_text() == name) return true;
  return false;
}

Answer ProxyBed::try_resync(const std::vector<Msg>& services) {
  std::vector<std::string> addresses = {"192.0.2.1", "198.51.100.1"}, own = {"10.88.1.0/24"}, all = {"10.88.0.0/16"};
  if (six()) {
    addresses.insert(addresses.end(), {"fd00:192::1", "fd00:198::1"});
    own.push_back("fd00:88:1::/64");
    all.push_back("fd00:88::/32");
  }
  return ask(&lotse_proxy::resync, Msg::map({{"node_name", "node"},
                                             {"node_addresses", Msg::strings(addresses)},
                                             {"pod_cidrs", Msg::strings(own)},
                                             {"cluster_cidrs", Msg::strings(all)},
                                             {"services", Msg(services)}}));
}

Msg ProxyBed::resync(const std::vector<TestService>& services) {
  std::vector<Msg> list;
  for (const auto& s : services) list.push_back(s.msg());
  Answer answer = try_resync(list);
  require(answer.ok(), "resync failed: " + answer.text);
  for (const auto& p : answer.value["problems"].items()) require(false, "resync has a problem: " + p["message"].str());
  return answer.value;
}

Msg ProxyBed::apply(const std::vector<TestService>& set, const std::vector<std::string>& removed) {
  Msg list = Msg::array();
  for (const auto& s : set) list.push(s.msg());
  Answer answer = ask(&lotse_proxy::apply, Msg::map({{"set", list}, {"removed", Msg::strings(removed)}}));
  require(answer.ok(), "apply failed: " + answer.text);
  for (const auto& p : answer.value["problems"].items()) require(false, "apply has a problem: " + p["message"].str());
  return answer.value;
}

void ProxyBed::remove_all() {
  Answer answer = ask(&lotse_proxy::remove_all, Msg::map());
  require(answer.ok(), "remove_all failed: " + answer.text);
}

TestEndpoint ProxyBed::at(const std::string& pod, bool ipv6) const {
  return {lab_.ip(pod, ipv6), pod != "far"};
}

namespace {
std::string where(const std::string& what, const std::string& from, const std::string& ip, int port) {
  return what + ": from " + from + " to " + ip + " port " + std::to_string(port) + " there was ";
}
constexpr int kShort = 500;  // milliseconds, where nothing is expected
}  // namespace

Outcome ProxyBed::expect_answer(const std::string& from, const std::string& ip, int port, const std::string& what,
                                Protocol p, const std::string& from_ip) {
  Outcome o = lab_.ask(from, ip, port, p, 5000, from_ip);
  require(o.kind == Outcome::kAnswered, where(what, from, ip, port) + o.text() + " and no answer");
  return o;
}

// Each of these pods answers at some time, and no other does.
void ProxyBed::expect_from(const std::set<std::string>& pods, const std::string& from, const std::string& ip, int port,
                           const std::string& what, Protocol p) {
  std::set<std::string> seen;
  for (int i = 0; i < 120 && (seen.size() < pods.size() || i < 6); ++i) {
    seen.insert(expect_answer(from, ip, port, what, p).who);
    for (const auto& who : seen) require(pods.contains(who), where(what, from, ip, port) + "an answer of " + who);
  }
  for (const auto& pod : pods) require(seen.contains(pod), where(what, from, ip, port) + "no answer of " + pod);
}

void ProxyBed::expect_refused(const std::string& from, const std::string& ip, int port, const std::string& what,
                              Protocol p) {
  Outcome o = lab_.ask(from, ip, port, p, 3000);
  require(o.kind == Outcome::kRefused, where(what, from, ip, port) + o.text() + " and no refusal");
}
void ProxyBed::expect_silence(const std::string& from, const std::string& ip, int port, const std::string& what,
                              Protocol p, const std::string& from_ip) {
  Outcome o = lab_.ask(from, ip, port, p, kShort, from_ip);
  require(o.kind == Outcome::kSilent, where(what, from, ip, port) + o.text());
}
void ProxyBed::expect_no_answer(const std::string& from, const std::string& ip, int port, const std::string& what,
                                Protocol p) {
  Outcome o = lab_.ask(from, ip, port, p, kShort);
  require(o.kind != Outcome::kAnswered, where(what, from, ip, port) + o.text());
}

}  // namespace lotse::conformance
