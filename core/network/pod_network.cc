#include "core/network/pod_network.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/process.h"
#include "core/object/json.h"

namespace lotse::network {
namespace {

constexpr uint32_t kVxlanId = 76;
constexpr uint16_t kVxlanPort = 8472;
constexpr int kVxlanOverhead = 50;
constexpr const char* kConflist = "/10-lotse.conflist";
constexpr const char* kMasquerade = "LOTSENET-MASQ";
constexpr const char* kForward = "LOTSENET-FORWARD";

bool is_v6(const std::string& cidr) { return cidr.find(':') != std::string::npos; }
std::vector<std::string> family(const std::vector<std::string>& cidrs, bool six) {
  std::vector<std::string> out;
  for (const auto& cidr : cidrs)
    if (is_v6(cidr) == six) out.push_back(cidr);
  return out;
}

// A kernel without the switch (no br_netfilter, no IPv6) has nothing to switch.
void set_sysctl(const std::string& path, const std::string& value) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)!write(fd, value.data(), value.size());
  close(fd);
}

Result<std::string> run(std::vector<std::string> args, std::string input) {
  Program program;
  program.args = std::move(args);
  program.input = std::move(input);
  return run_program_ok(program);
}

json::Value ipam(const PodNetwork::Config& config, const std::vector<std::string>& pod_cidrs) {
  json::Value ranges = json::Value::array(), routes = json::Value::array();
  for (const auto& cidr : pod_cidrs) {
    ranges.push(json::Value::array({json::Value::object({{"subnet", cidr}})}));
    routes.push(json::Value::object({{"dst", is_v6(cidr) ? "::/0" : "0.0.0.0/0"}}));
  }
  return json::Value::object({{"type", "host-local"}, {"dataDir", config.ipam_dir}, {"ranges", ranges}, {"routes", routes}});
}

}  // namespace

std::string PodNetwork::conflist(const Config& config, const std::vector<std::string>& pod_cidrs, int mtu) {
  json::Value bridge = json::Value::object({{"type", "bridge"}, {"bridge", config.bridge}, {"isGateway", true}, {"ipMasq", false}, {"hairpinMode", true}, {"mtu", mtu}});
  bridge["ipam"] = ipam(config, pod_cidrs);
  json::Value portmap = json::Value::object({{"type", "portmap"}, {"snat", true}});
  portmap["capabilities"]["portMappings"] = true;
  return json::write_pretty(json::Value::object({{"cniVersion", "0.4.0"}, {"name", "lotse"}, {"plugins", json::Value::array({bridge, portmap})}}));
}

// Two chains of ours and a jump to each: traffic of pods may pass whatever the policy of FORWARD is, and what leaves the pod network does so
// with the node's address.
std::string PodNetwork::rules(const Config& config, const std::vector<std::string>& pod_cidrs, bool ipv6, const std::string& save_nat, const std::string& save_filter) {
  const auto own = family(pod_cidrs, ipv6), cluster = family(config.cluster_cidrs, ipv6);
  std::string nat = std::string("*nat\n:") + kMasquerade + " - [0:0]\n";
  for (const auto& cidr : cluster) nat += std::string("-A ") + kMasquerade + " -d " + cidr + " -j RETURN\n";
  nat += std::string("-A ") + kMasquerade + " -d " + (ipv6 ? "ff00::/8" : "224.0.0.0/4") + " -j RETURN\n";
  for (const auto& cidr : own) nat += std::string("-A ") + kMasquerade + " -s " + cidr + " -j MASQUERADE --random-fully\n";
  if (save_nat.find(std::string("-A POSTROUTING -j ") + kMasquerade) == std::string::npos) nat += std::string("-A POSTROUTING -j ") + kMasquerade + "\n";
  std::string filter = std::string("*filter\n:") + kForward + " - [0:0]\n";
  for (const auto& cidr : cluster) {
    filter += std::string("-A ") + kForward + " -s " + cidr + " -j ACCEPT\n";
    filter += std::string("-A ") + kForward + " -d " + cidr + " -j ACCEPT\n";
  }
  if (save_filter.find(std::string("-A FORWARD -j ") + kForward) == std::string::npos) filter += std::string("-I FORWARD 1 -j ") + kForward + "\n";
  return nat + "COMMIT\n" + filter + "COMMIT\n";
}

// Locally administered, and the same whoever reckons it.
std::string PodNetwork::tunnel_mac(const std::string& node_ip) {
  uint64_t h = hash64("lotse.vx/" + node_ip);
  char text[18];
  std::snprintf(text, sizeof text, "0e:%02x:%02x:%02x:%02x:%02x", unsigned(h & 255), unsigned(h >> 8 & 255), unsigned(h >> 16 & 255), unsigned(h >> 24 & 255), unsigned(h >> 32 & 255));
  return text;
}

Status PodNetwork::connect() {
  if (netlink_) return {};
  LOTSE_TRY(netlink_, Netlink::open());
  return {};
}

Status PodNetwork::write_rules(bool ipv6, const std::vector<std::string>& pod_cidrs) {
  const std::string program = ipv6 ? "ip6tables" : "iptables";
  LOTSE_TRY(std::string nat, run({program + "-save", "-t", "nat"}, ""));
  LOTSE_TRY(std::string filter, run({program + "-save", "-t", "filter"}, ""));
  LOTSE_TRY(std::string ignored, run({program + "-restore", "--noflush", "--wait", "10"}, rules(config_, pod_cidrs, ipv6, nat, filter)));
  return {};
}

Status PodNetwork::set_self(const std::string& node_ip, const std::vector<std::string>& pod_cidrs) {
  LOTSE_CHECK_OK(connect());
  node_ip_ = node_ip;
  pod_cidrs_ = pod_cidrs;
  set_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
  set_sysctl("/proc/sys/net/bridge/bridge-nf-call-iptables", "1");
  if (!family(pod_cidrs, true).empty()) {
    set_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    LOTSE_CHECK_OK(write_rules(true, pod_cidrs));
  }
  LOTSE_CHECK_OK(write_rules(false, pod_cidrs));
  LOTSE_TRY(int mtu, netlink_->mtu_towards(node_ip));
  // Written last: its presence is what tells the runtime that the network is ready.
  LOTSE_CHECK_OK(make_dirs(config_.cni_dir, 0755));
  LOTSE_CHECK_OK(make_dirs(config_.ipam_dir, 0755));
  const std::string text = conflist(config_, pod_cidrs, config_.backend == "routes" ? mtu : mtu - kVxlanOverhead);
  auto before = read_file(config_.cni_dir + kConflist, 1 << 16);
  if (before.ok() && *before == text) return {};
  return write_file_atomically(config_.cni_dir + kConflist, text, 0644);
}

PodNetwork::Paths PodNetwork::paths(const Config& config, const std::vector<NodeNetwork>& nodes, const std::function<bool(const std::string&)>& on_link) {
  Paths out;
  for (const auto& node : nodes)
    for (const auto& cidr : node.pod_cidrs) {
      const auto ips = family(node.ips, is_v6(cidr));
      const bool direct = !ips.empty() && (config.backend == "routes" || (config.backend == "auto" && on_link(ips.front())));
      if (direct) {
        out.routes.push_back({cidr, ips.front(), "", false});
      } else if (config.backend != "routes" && !node.ips.empty()) {
        const std::string far_end = cidr.substr(0, cidr.find('/'));
        out.neighbours.push_back({far_end, tunnel_mac(node.ips.front()), node.ips.front()});
        out.routes.push_back({cidr, far_end, config.tunnel, true});
      }
    }
  return out;
}

Status PodNetwork::set_nodes(const std::vector<NodeNetwork>& nodes) {
  LOTSE_CHECK_OK(connect());
  Status unknown;
  const Paths wanted = paths(config_, nodes, [&](const std::string& ip) {
    auto found = netlink_->on_link(ip);
    if (!found.ok()) unknown = found.status();
    return found.ok() && *found;
  });
  LOTSE_CHECK_OK(unknown);
  if (!wanted.neighbours.empty()) {
    std::vector<std::string> near_ends;  // our pod networks' first addresses
    for (const auto& cidr : pod_cidrs_) near_ends.push_back(cidr.substr(0, cidr.find('/')) + (is_v6(cidr) ? "/128" : "/32"));
    LOTSE_CHECK_OK(netlink_->ensure_vxlan(config_.tunnel, kVxlanId, kVxlanPort, node_ip_, tunnel_mac(node_ip_), near_ends));
    LOTSE_CHECK_OK(netlink_->sync_neighbours(config_.tunnel, wanted.neighbours));
  }
  LOTSE_CHECK_OK(netlink_->sync_routes(wanted.routes));
  return wanted.neighbours.empty() ? netlink_->remove_link(config_.tunnel) : Status();
}

Status PodNetwork::hold(const std::vector<std::string>& addresses) {
  LOTSE_CHECK_OK(connect());
  std::vector<std::string> with_length;
  for (const auto& ip : addresses) with_length.push_back(ip + (is_v6(ip) ? "/128" : "/32"));
  return netlink_->ensure_holder(config_.holder, with_length);
}

// portmap, which makes host ports, leaves its common chains behind when the last of them has gone. They are taken away only
// when no pod's chain is left: others on this machine may use the same plugin.
std::string PodNetwork::without_host_ports(const std::string& nat_save) {
  constexpr std::string_view kCommon = "CNI-HOSTPORT-", kOfAPod = ":CNI-DN-";
  std::string jumps, chains, deletions;
  for (size_t at = 0; at < nat_save.size();) {
    const size_t end = std::min(nat_save.find('\n', at), nat_save.size());
    const std::string line = nat_save.substr(at, end - at);
    at = end + 1;
    if (line.starts_with(kOfAPod)) return {};
    if (line.starts_with(":" + std::string(kCommon))) {
      const std::string chain = line.substr(1, line.find(' ') - 1);
      chains += ":" + chain + " - [0:0]\n";  // emptied
      deletions += "-X " + chain + "\n";
    } else if (line.starts_with("-A ") && !line.starts_with("-A " + std::string(kCommon)) &&
               line.find("-j " + std::string(kCommon)) != std::string::npos) {
      jumps += "-D " + line.substr(3) + "\n";
    }
  }
  return chains.empty() ? "" : "*nat\n" + chains + jumps + deletions + "COMMIT\n";
}

Status PodNetwork::remove_all() {
  LOTSE_CHECK_OK(connect());
  LOTSE_CHECK_OK(netlink_->sync_routes({}));
  for (const auto& link : {config_.tunnel, config_.holder, config_.bridge}) LOTSE_CHECK_OK(netlink_->remove_link(link));
  for (const char* program : {"iptables", "ip6tables"}) {
    if (auto save = run({std::string(program) + "-save", "-t", "nat"}, ""); save.ok()) {
      if (auto text = without_host_ports(*save); !text.empty()) {
        LOTSE_TRY(std::string ignored, run({std::string(program) + "-restore", "--noflush", "--wait", "10"}, text));
      }
    }
    for (auto [table, chain, parent] : {std::tuple{"nat", kMasquerade, "POSTROUTING"}, {"filter", kForward, "FORWARD"}}) {
      auto save = run({std::string(program) + "-save", "-t", table}, "");
      if (!save.ok() || save->find(std::string(":") + chain + " ") == std::string::npos) continue;
      std::string text = std::string("*") + table + "\n:" + chain + " - [0:0]\n";
      if (save->find(std::string("-A ") + parent + " -j " + chain) != std::string::npos) text += std::string("-D ") + parent + " -j " + chain + "\n";
      LOTSE_TRY(std::string ignored, run({std::string(program) + "-restore", "--noflush", "--wait", "10"}, text + "-X " + chain + "\nCOMMIT\n"));
    }
  }
  unlink((config_.cni_dir + kConflist).c_str());
  return {};
}

}  // namespace lotse::network
