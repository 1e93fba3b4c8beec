#include "plugins/proxy_iptables/rules.h"

#include <cstdio>

#include "plugins/service_table/endpoint_choice.h"

namespace lotse::proxy_iptables {
namespace {

constexpr const char* kMasqueradeMark = "0x4000/0x4000";

std::string comment(const Service& s) { return " -m comment --comment \"" + s.id + "\""; }

std::string destination(const Service& s, const std::string& ip, Family family) {
  return "-d " + ip + (family == Family::kIPv4 ? "/32" : "/128") + " -p " + s.protocol + " -m " + s.protocol + " --dport " + std::to_string(s.port);
}

std::string node_port(const Service& s) { return "-p " + s.protocol + " -m " + s.protocol + " --dport " + std::to_string(s.node_port); }

// Spreads over the endpoints: those with a remembered client first, then by chance, each as likely as the others.
void spread(const Service& s, const std::vector<const Endpoint*>& endpoints, Family family, const std::string& chain, ServiceRules* out) {
  Lines& lines = out->chains[chain];
  std::vector<std::string> names;
  for (const auto* e : endpoints) names.push_back("LOTSE-SEP-" + chain_hash(s.id + "|" + at(*e, family)));
  if (s.affinity_s > 0)
    for (const auto& name : names)
      lines.push_back("-m recent --name " + name + " --rcheck --seconds " + std::to_string(s.affinity_s) + " --reap --rsource" + comment(s) + " -j " + name);
  for (size_t i = 0; i < names.size(); ++i) {
    std::string chance;
    if (i + 1 < names.size()) {
      char text[64];
      std::snprintf(text, sizeof text, "-m statistic --mode random --probability %.10f", 1.0 / static_cast<double>(names.size() - i));
      chance = text;
    }
    lines.push_back(chance + comment(s) + " -j " + names[i]);
    const Endpoint& e = *endpoints[i];
    Lines& target = out->chains[names[i]];
    target.clear();
    // A pod that reaches itself through its Service must see another source than itself.
    target.push_back("-s " + e.ip + comment(s) + " -j " + kMark);
    target.push_back("-p " + s.protocol + comment(s) + (s.affinity_s > 0 ? " -m recent --name " + names[i] + " --set --rsource" : "") + " -m " + s.protocol +
                     " -j DNAT --to-destination " + at(e, family));
    out->endpoints.insert(at(e, family));
  }
}

std::string trimmed(std::string line) {
  const size_t from = line.find_first_not_of(' ');
  return from == line.npos ? std::string() : line.substr(from);
}

}  // namespace

// FNV-1a as base 32: chains have at most 28 characters.
std::string chain_hash(const std::string& text) {
  uint64_t h = 14695981039346656037ull;
  for (unsigned char c : text) h = (h ^ c) * 1099511628211ull;
  std::string out;
  for (int i = 0; i < 13; ++i, h >>= 5) out += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[h & 31];
  return out;
}

ServiceRules rules_of(const Service& s, const Facts& facts, Family family) {
  ServiceRules out;
  const std::string x = chain_hash(s.id), svc = "LOTSE-SVC-" + x, svl = "LOTSE-SVL-" + x, ext = "LOTSE-EXT-" + x, cip = "LOTSE-CIP-" + x;
  const auto cluster_ips = of_family(s.cluster_ips, family, false);
  if (cluster_ips.empty()) return out;
  const auto all = usable(s, family, false), local = usable(s, family, true);
  const auto pods = of_family(facts.cluster_cidrs.empty() ? facts.pod_cidrs : facts.cluster_cidrs, family, true);

  const auto& inside = s.internal_local ? local : all;
  for (const auto& ip : cluster_ips) {
    const std::string to = destination(s, ip, family) + comment(s);
    if (inside.empty())
      out.reject.insert(to + (s.internal_local && !all.empty() ? " -j DROP" : " -j REJECT"));
    else
      out.services.insert(to + " -j " + cip);
  }
  if (!inside.empty()) {
    // What comes from outside the pod network must find its way back through this node.
    Lines& entry = out.chains[cip];
    if (pods.size() == 1) entry.push_back("! -s " + pods[0] + comment(s) + " -j " + kMark);
    entry.push_back(trimmed(comment(s) + " -j " + (s.internal_local ? svl : svc)));
  }

  std::vector<std::string> outside = of_family(s.external_ips, family, false);
  const auto balancers = of_family(s.load_balancer_ips, family, false);
  const bool external = s.node_port != 0 || !outside.empty() || !balancers.empty();
  if (external && !all.empty()) {
    Lines& lines = out.chains[ext];
    if (!s.external_local) {
      lines.push_back(trimmed(comment(s) + " -j " + kMark));
      lines.push_back(trimmed(comment(s) + " -j " + svc));
    } else {
      // Pods and this node itself reach all endpoints; what comes from elsewhere only local ones, with its own address.
      for (const auto& cidr : pods) lines.push_back("-s " + cidr + comment(s) + " -j " + svc);
      lines.push_back("-m addrtype --src-type LOCAL" + comment(s) + " -j " + kMark);
      lines.push_back("-m addrtype --src-type LOCAL" + comment(s) + " -j " + svc);
      if (!local.empty()) lines.push_back(trimmed(comment(s) + " -j " + svl));
    }
  }
  const bool refuse = all.empty(), drop = s.external_local && local.empty() && !all.empty();
  auto gate = [&](const std::string& match, std::set<std::string>& to, const std::string& chain) {
    if (refuse) out.reject.insert(match + " -j REJECT");
    if (drop) out.reject.insert(match + " -m addrtype ! --src-type LOCAL -j DROP");
    if (!refuse) to.insert(match + " -j " + chain);
  };
  for (const auto& ip : outside) gate(destination(s, ip, family) + comment(s), out.services, ext);
  const auto ranges = of_family(s.source_ranges, family, true);
  for (const auto& ip : balancers) {
    if (s.source_ranges.empty()) {
      gate(destination(s, ip, family) + comment(s), out.services, ext);
      continue;
    }
    for (const auto& range : ranges) gate("-s " + range + " " + destination(s, ip, family) + comment(s), out.services, ext);
    out.reject.insert(destination(s, ip, family) + comment(s) + " -j DROP");  // nothing that was let through still has this destination
  }
  if (s.node_port) gate(node_port(s) + comment(s), out.node_ports, ext);
  if (s.node_port && (refuse || drop)) {  // in filter a node port is one only on the node's own addresses
    std::set<std::string> local_only;
    for (const auto& line : out.reject)
      local_only.insert(line.starts_with("-p ") ? "-m addrtype --dst-type LOCAL " + line : line);
    out.reject = std::move(local_only);
  }

  const bool needs_all = (!s.internal_local && !inside.empty()) || (external && !all.empty());
  const bool needs_local = (s.internal_local && !inside.empty()) || (external && s.external_local && !local.empty());
  if (needs_all) spread(s, all, family, svc, &out);
  if (needs_local) spread(s, local, family, svl, &out);
  return out;
}

std::map<std::string, Lines> fixed_nat_chains() {
  return {{kMark, {std::string("-j MARK --set-xmark ") + kMasqueradeMark}},
          {kPostrouting, {std::string("-m mark ! --mark ") + kMasqueradeMark + " -j RETURN", "-j MARK --set-xmark 0x0/0x4000", "-j MASQUERADE --random-fully"}}};
}

std::map<std::string, Lines> fixed_filter_chains(Family family) {
  Lines forward = {std::string("-m mark --mark ") + kMasqueradeMark + " -j ACCEPT", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"};
  std::map<std::string, Lines> out{{kForward, forward}};
  // Node ports on 127.0.0.1 need route_localnet; what others send to 127.0.0.0/8 must not profit from it (CVE-2020-8558).
  if (family == Family::kIPv4)
    out["LOTSE-LOCALNET"] = {"! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"};
  return out;
}

std::vector<Jump> jumps(Family family) {
  const std::string fresh = "-m conntrack --ctstate NEW -j ";
  std::vector<Jump> out;
  for (const char* chain : {"PREROUTING", "OUTPUT"}) {
    out.push_back({"nat", chain, std::string("-j ") + kServices});
    out.push_back({"nat", chain, std::string("-m addrtype --dst-type LOCAL -j ") + kNodePorts});
  }
  out.push_back({"nat", "POSTROUTING", std::string("-j ") + kPostrouting});
  for (const char* chain : {"INPUT", "FORWARD", "OUTPUT"}) out.push_back({"filter", chain, fresh + kReject});
  out.push_back({"filter", "FORWARD", std::string("-j ") + kForward});
  if (family == Family::kIPv4) out.push_back({"filter", "INPUT", "-j LOTSE-LOCALNET"});
  return out;
}

}  // namespace lotse::proxy_iptables
