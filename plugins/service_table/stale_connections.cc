#include "plugins/service_table/stale_connections.h"

#include "plugins/service_table/program.h"

namespace lotse::service_table {
namespace {

std::set<std::string> endpoints_of(const Service* s) {
  std::set<std::string> out;
  if (!s) return out;
  for (const auto& e : s->endpoints)
    if (e.ready || (e.serving && e.terminating)) out.insert(e.ip);
  return out;
}

}  // namespace

std::vector<std::vector<std::string>> stale_flows(const Service* before, const Service* now) {
  const Service* any = now ? now : before;
  if (!any || any->protocol != "udp") return {};
  const auto was = endpoints_of(before), is = endpoints_of(now);
  if (was == is) return {};
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
  return which;
}

void forget_stale_connections(const sdk::Host& host, const ServiceTable& now, const ServiceTable::Changes& changes) {
  for (const auto& id : changes.ids) {
    auto old = changes.before.find(id);
    for (const auto& words : stale_flows(old == changes.before.end() ? nullptr : &old->second, now.find(id))) {
      std::vector<std::string> argv = {"conntrack", "-D", "-p", "udp"};
      if (words[1].find(':') != std::string::npos) argv.insert(argv.end(), {"-f", "ipv6"});
      argv.insert(argv.end(), words.begin(), words.end());
      auto result = run_program(argv, "", std::chrono::seconds(5));
      if (result.exit_code > 1 || result.exit_code < 0) {  // 1: there was nothing
        host.warn("conntrack.failed", "stale UDP connections could not be forgotten", {{"service", id}, {"reason", result.err}});
        return;
      }
    }
  }
}

}  // namespace lotse::service_table
