#include "plugins/proxy_iptables/iptables_proxy.h"

#include <fcntl.h>
#include <unistd.h>

#include "plugins/proxy_iptables/program.h"

namespace lotse::proxy_iptables {
namespace {

bool write_sysctl(const char* path, const char* value) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, value, 1) == 1;
  close(fd);
  return ok;
}

std::set<std::string> endpoints_of(const Service& s) {
  std::set<std::string> out;
  for (const auto& e : s.endpoints)
    if (e.ready || (e.serving && e.terminating)) out.insert(e.ip);
  return out;
}

}  // namespace

IptablesProxy::IptablesProxy(const sdk::Host& host, const sdk::Config& config)
    : Proxy(host), variant_(config.text("variant")), localnet_(config.boolean("localhost_node_ports")) {
  if (variant_ == "auto") variant_.clear();
  auto found = run_program({variant_.empty() ? "iptables" : "iptables-" + variant_, "--version"}, "", std::chrono::seconds(10));
  if (found.exit_code != 0)
    throw sdk::Failure(LOTSE_UNSUPPORTED, "the iptables proxy needs the program iptables (Debian: apt-get install iptables): " + found.err);
}

std::vector<lotse_key> IptablesProxy::keys() {
  return {sdk::Key::text("variant", "which iptables: auto is what the command iptables is on this machine").choices("auto|nft|legacy").fallback("auto"),
          sdk::Key::boolean("localhost_node_ports", "node ports answer on 127.0.0.1 too (sets route_localnet)").fallback("true")};
}

void IptablesProxy::info(const sdk::Msg&, sdk::Call call) {
  call.done(sdk::Msg::map({{"mode", "iptables"}, {"families", sdk::Msg::strings({"IPv4", "IPv6"})},
                           {"features", sdk::Msg::strings({"affinity", "node_ports", "external_ips", "load_balancer", "source_ranges", "traffic_policy", "hairpin"})}}));
}

RulesById IptablesProxy::rules(const std::set<std::string>& ids, Family family) const {
  RulesById out;
  for (const auto& id : ids)
    if (auto it = services_.find(id); it != services_.end()) out.emplace(id, rules_of(it->second, facts_, family));
  return out;
}

void IptablesProxy::resync_all() {
  std::set<std::string> ids;
  for (const auto& [id, service] : services_) ids.insert(id);
  for (auto& [family, kernel] : kernels_) kernel.resync(rules(ids, family));
  in_doubt_ = false;
}

void IptablesProxy::resync(const sdk::Msg& table, sdk::Call call) {
  facts_ = parse_facts(table);
  std::map<std::string, Service> before = std::move(services_);
  services_.clear();
  problems_.clear();
  std::set<std::string> ids;
  for (const auto& entry : table["services"].items()) {
    Service s;
    Problem problem;
    if (parse_service(entry, &s, &problem)) {
      ids.insert(s.id);
      services_[s.id] = std::move(s);
    } else {
      problems_[problem.id] = problem;
    }
  }
  kernels_.try_emplace(Family::kIPv4, Family::kIPv4, variant_);
  bool six = false;
  for (const auto* list : {&facts_.pod_cidrs, &facts_.cluster_cidrs}) six = six || !of_family(*list, Family::kIPv6, true).empty();
  if (six) kernels_.try_emplace(Family::kIPv6, Family::kIPv6, variant_);
  write_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
  if (six) write_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  // Pods of one node talk over a bridge: without this their traffic to a Service's address would come back past NAT.
  write_sysctl("/proc/sys/net/bridge/bridge-nf-call-iptables", "1");
  if (localnet_) write_sysctl("/proc/sys/net/ipv4/conf/all/route_localnet", "1");
  in_doubt_ = true;
  resync_all();
  for (const auto& [id, s] : before) ids.insert(id);
  forget_connections(before, ids);
  call.done(problems());
}

void IptablesProxy::apply(const sdk::Msg& changes, sdk::Call call) {
  std::map<std::string, Service> before;
  std::set<std::string> ids;
  auto touch = [&](const std::string& id) {
    if (auto it = services_.find(id); it != services_.end() && !before.contains(id)) before.emplace(id, it->second);
    ids.insert(id);
    problems_.erase(id);
  };
  for (const auto& id : changes["removed"].as_strings()) {
    touch(id);
    services_.erase(id);
  }
  for (const auto& entry : changes["set"].items()) {
    Service s;
    Problem problem;
    touch(entry["id"].str());
    if (parse_service(entry, &s, &problem)) {
      services_[s.id] = std::move(s);
    } else {
      services_.erase(problem.id);
      problems_[problem.id] = problem;
    }
  }
  if (in_doubt_ || kernels_.empty()) {
    kernels_.try_emplace(Family::kIPv4, Family::kIPv4, variant_);
    resync_all();
  } else {
    try {
      for (auto& [family, kernel] : kernels_) kernel.change(rules(ids, family), ids);
    } catch (const sdk::Failure& failure) {
      // Somebody else has changed our chains: write everything anew.
      host().warn("change.refused", "an incremental change was refused; everything is written anew", {{"reason", failure.what()}});
      in_doubt_ = true;
      resync_all();
    }
  }
  forget_connections(before, ids);
  call.done(problems());
}

// A UDP flow keeps going where conntrack remembers it: what led to an endpoint that is gone, or past a Service that had none, is
// forgotten. Exit code 1 of conntrack says that there was nothing.
void IptablesProxy::forget_connections(const std::map<std::string, Service>& before, const std::set<std::string>& ids) {
  for (const auto& id : ids) {
    auto old = before.find(id);
    auto now = services_.find(id);
    const Service* any = now != services_.end() ? &now->second : old != before.end() ? &old->second : nullptr;
    if (!any || any->protocol != "udp") continue;
    const std::set<std::string> was = old == before.end() ? std::set<std::string>() : endpoints_of(old->second);
    const std::set<std::string> is = now == services_.end() ? std::set<std::string>() : endpoints_of(now->second);
    if (was == is) continue;
    std::vector<std::vector<std::string>> which;
    std::vector<std::string> addresses = any->cluster_ips;
    addresses.insert(addresses.end(), any->external_ips.begin(), any->external_ips.end());
    addresses.insert(addresses.end(), any->load_balancer_ips.begin(), any->load_balancer_ips.end());
    for (const auto& ip : addresses) {
      if (was.empty()) which.push_back({"--orig-dst", ip});
      for (const auto& endpoint : was)
        if (!is.contains(endpoint)) which.push_back({"--orig-dst", ip, "--reply-src", endpoint});
    }
    if (any->node_port) {
      const std::string port = std::to_string(any->node_port);
      if (was.empty()) which.push_back({"--dport", port});
      for (const auto& endpoint : was)
        if (!is.contains(endpoint)) which.push_back({"--dport", port, "--reply-src", endpoint});
    }
    for (auto& words : which) {
      std::vector<std::string> argv = {"conntrack", "-D", "-p", "udp"};
      if (words[1].find(':') != std::string::npos) argv.insert(argv.end(), {"-f", "ipv6"});
      argv.insert(argv.end(), words.begin(), words.end());
      auto result = run_program(argv, "", std::chrono::seconds(5));
      if (result.exit_code > 1 || result.exit_code < 0) {
        host().warn("conntrack.failed", "stale UDP connections could not be forgotten", {{"service", id}, {"reason", result.err}});
        return;
      }
    }
  }
}

void IptablesProxy::remove_all(const sdk::Msg&, sdk::Call call) {
  for (Family family : {Family::kIPv4, Family::kIPv6}) {
    try {
      kernels_.try_emplace(family, family, variant_).first->second.remove_all();
    } catch (const sdk::Failure&) {
      if (family == Family::kIPv4) throw;  // a machine without IPv6 has nothing of ours there
    }
  }
  kernels_.clear();
  services_.clear();
  in_doubt_ = true;
  call.done(sdk::Msg::map());
}

sdk::Msg IptablesProxy::problems() const {
  sdk::Msg list = sdk::Msg::array();
  for (const auto& [id, p] : problems_) list.push(sdk::Msg::map({{"id", id}, {"reason", p.reason}, {"message", p.message}}));
  for (const auto& [id, s] : services_)
    if (s.health_check_port) list.push(sdk::Msg::map({{"id", id}, {"reason", "HealthCheckNodePort"}, {"message", "the iptables proxy does not answer on health check node ports"}}));
  return sdk::Msg::map({{"problems", list}});
}

}  // namespace lotse::proxy_iptables
