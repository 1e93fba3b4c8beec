#include "plugins/proxy_ipvs/fixed_rules.h"

namespace lotse::proxy_ipvs {
namespace {

constexpr const char* kMark = "0x4000/0x4000";

std::string in(Family family, Set set, const char* directions) {
  return "-m set --match-set " + set_name(family, set) + " " + directions + " ";
}
std::string out(Family family, Set set, const char* directions) {
  return "-m set ! --match-set " + set_name(family, set) + " " + directions + " ";
}

}  // namespace

std::string set_name(Family family, Set set) {
  static const char* const names[] = {"ADDRS", "CLUSTER", "MASQ", "LOCAL", "RANGED", "RANGES", "REJECT", "DROP", "OUTSIDE", "LOOP", "PODS"};
  return std::string(family == Family::kIPv4 ? "LOTSEVS4-" : "LOTSEVS6-") + names[static_cast<int>(set)];
}

std::string set_type(Family family, Set set) {
  std::string type = "hash:ip,port";
  if (set == Set::kAddresses) type = "hash:ip";
  if (set == Set::kRanges) type = "hash:ip,port,net";
  if (set == Set::kLoop) type = "hash:ip,port,ip";
  if (set == Set::kPods) type = "hash:net";
  return type + " family " + (family == Family::kIPv4 ? "inet" : "inet6") + " maxelem 4194304";
}

std::map<std::string, Lines> chains_of(const std::string& table, Family f, const std::set<std::string>& inside) {
  const std::string mark = std::string("-j MARK --set-xmark ") + kMark, fresh = "-m conntrack --ctstate NEW ";
  if (table == "nat")
    return {{"LOTSEVS-MARK",
             {in(f, Set::kCluster, "dst,dst") + out(f, Set::kPods, "src") + mark,
              // The node itself has taken the address it speaks to as its own.
              in(f, Set::kCluster, "src,dst") + in(f, Set::kCluster, "dst,dst") + mark,
              in(f, Set::kMasquerade, "dst,dst") + mark,
              in(f, Set::kLocal, "dst,dst") + "-m addrtype --src-type LOCAL " + mark,
              in(f, Set::kLocal, "dst,dst") + "-j " + kInside}},
            {kInside, Lines(inside.begin(), inside.end())},
            {"LOTSEVS-MASQ",
             {in(f, Set::kLoop, "dst,dst,src") + "-j MASQUERADE", std::string("-m mark ! --mark ") + kMark + " -j RETURN", "-j MARK --set-xmark 0x0/0x4000",
              "-j MASQUERADE --random-fully"}}};
  const std::string foreign = "-m addrtype ! --src-type LOCAL ";
  return {{"LOTSEVS-GATE",
           {in(f, Set::kRanged, "dst,dst") + out(f, Set::kRanges, "dst,dst,src") + "-j DROP",
            fresh + in(f, Set::kOutside, "dst,dst") + out(f, Set::kPods, "src") + foreign + "-j DROP",
            fresh + in(f, Set::kDrop, "dst,dst") + "-j DROP",
            fresh + in(f, Set::kReject, "dst,dst") + "-j REJECT",
            in(f, Set::kCluster, "dst,dst") + "-j ACCEPT",
            in(f, Set::kMasquerade, "dst,dst") + "-j ACCEPT",
            in(f, Set::kLocal, "dst,dst") + "-j ACCEPT",
            // What else listens on this node is not to be found at a Service's address.
            std::string(f == Family::kIPv4 ? "! -p icmp " : "! -p ipv6-icmp ") + fresh + in(f, Set::kAddresses, "dst") + "-j REJECT"}},
          {"LOTSEVS-OUT", {fresh + in(f, Set::kDrop, "dst,dst") + "-j DROP", fresh + in(f, Set::kReject, "dst,dst") + "-j REJECT"}},
          {"LOTSEVS-FORWARD", {std::string("-m mark --mark ") + kMark + " -j ACCEPT", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"}}};
}

std::string inside_text(const std::set<std::string>& inside) {
  std::string out = std::string("*nat\n:") + kInside + " - [0:0]\n";
  for (const auto& rule : inside) out += std::string("-A ") + kInside + " " + rule + "\n";
  return out + "COMMIT\n";
}

std::vector<Jump> fixed_jumps() {
  return {{"nat", "PREROUTING", "-j LOTSEVS-MARK"},   {"nat", "OUTPUT", "-j LOTSEVS-MARK"},  {"nat", "POSTROUTING", "-j LOTSEVS-MASQ"},
          {"filter", "INPUT", "-j LOTSEVS-GATE"},     {"filter", "OUTPUT", "-j LOTSEVS-OUT"}, {"filter", "FORWARD", "-j LOTSEVS-FORWARD"}};
}

}  // namespace lotse::proxy_ipvs
