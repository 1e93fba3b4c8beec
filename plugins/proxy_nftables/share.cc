#include "plugins/proxy_nftables/share.h"

#include <arpa/inet.h>

#include "plugins/service_table/endpoint_choice.h"

namespace lotse::proxy_nftables {
namespace {

using service_table::Endpoint;
using service_table::of_family;

// One way to write an address, so that two spellings are one key.
std::vector<std::string> plain(const std::vector<std::string>& texts, Family family) {
  std::vector<std::string> out;
  const int af = family == Family::kIPv4 ? AF_INET : AF_INET6;
  for (const auto& text : of_family(texts, family, false)) {
    char raw[16], written[64];
    inet_pton(af, text.c_str(), raw);
    inet_ntop(af, raw, written, sizeof written);
    if (std::find(out.begin(), out.end(), written) == out.end()) out.emplace_back(written);
  }
  return out;
}

struct Network {
  std::array<uint8_t, 16> bits{};
  int length = 0;
  bool contains(const Network& o) const {
    if (o.length < length) return false;
    for (int i = 0; i < length; ++i)
      if (((bits[i / 8] ^ o.bits[i / 8]) >> (7 - i % 8)) & 1) return false;
    return true;
  }
};

// Networks nest or are apart; those within another one are left out, for nftables wants no overlaps.
std::vector<std::string> outermost(const std::vector<std::string>& texts, Family family) {
  std::vector<std::pair<Network, std::string>> kept;
  for (const auto& text : of_family(texts, family, true)) {
    const size_t slash = text.find('/');
    Network n;
    n.length = std::stoi(text.substr(slash + 1));
    inet_pton(family == Family::kIPv4 ? AF_INET : AF_INET6, text.substr(0, slash).c_str(), n.bits.data());
    if (std::any_of(kept.begin(), kept.end(), [&](const auto& k) { return k.first.contains(n); })) continue;
    std::erase_if(kept, [&](const auto& k) { return n.contains(k.first); });
    kept.emplace_back(n, text);
  }
  std::vector<std::string> out;
  for (auto& [n, text] : kept) out.push_back(std::move(text));
  return out;
}

// FNV-1a as base 32.
std::string hash(const std::string& text) {
  uint64_t h = 14695981039346656037ull;
  for (unsigned char c : text) h = (h ^ c) * 1099511628211ull;
  std::string out;
  for (int i = 0; i < 13; ++i, h >>= 5) out += "abcdefghijklmnopqrstuvwxyz234567"[h & 31];
  return out;
}

using Endpoints = std::vector<const Endpoint*>;

class Maker {
 public:
  Maker(const Service& s, const Facts& facts, Family family)
      : s_(s), family_(family), all_(usable(s, family, false)), local_(usable(s, family, true)), sticky_(s.affinity_s > 0 ? "aff-" + hash(s.id) : ""),
        pods_(!of_family(facts.cluster_cidrs.empty() ? facts.pod_cidrs : facts.cluster_cidrs, family, true).empty()) {}

  Share make() {
    const auto inside = plain(s_.cluster_ips, family_);
    if (inside.empty()) return {};
    for (const auto& ip : inside) cluster_door(ip);
    std::vector<std::string> seen = inside;
    auto outside = [&](const std::vector<std::string>& ips, bool guarded) {
      for (const auto& ip : plain(ips, family_)) {
        if (std::find(seen.begin(), seen.end(), ip) != seen.end()) continue;
        seen.push_back(ip);
        outside_door(address(ip, s_.port), guarded, false);
      }
    };
    outside(s_.load_balancer_ips, !s_.source_ranges.empty());
    outside(s_.external_ips, false);
    if (s_.node_port) outside_door(s_.protocol + " . " + std::to_string(s_.node_port), false, true);
    for (const auto* e : all_)
      if (e->local) out_.hairpins.insert(e->ip);
    for (const auto* e : local_) out_.hairpins.insert(e->ip);
    if (!sticky_.empty()) remember_clients();
    return std::move(out_);
  }

 private:
  std::string address(const std::string& ip, int port) const { return ip + " . " + s_.protocol + " . " + std::to_string(port); }

  // `kind` of the shared chains, or this Service's own where it remembers clients.
  std::string go(Door* door, const std::string& kind, const Endpoints& endpoints) {
    std::string chain = kind + "-" + std::to_string(endpoints.size());
    if (!sticky_.empty()) {
      const std::string door_kind = kind.starts_with("port") ? kind == "port" ? "outside" : kind.substr(4) : kind;
      chain = sticky_ + "-" + door_kind;
      wanted_.insert(door_kind);
    } else {
      door->chains.insert(chain);
    }
    return "goto " + chain;
  }
  void lead(Door* door, const char* map, const Endpoints& endpoints) const {
    if (!sticky_.empty()) return;
    for (size_t i = 0; i < endpoints.size(); ++i)
      door->elements.push_back({map, door->at + " . " + std::to_string(i), endpoints[i]->ip + " . " + std::to_string(endpoints[i]->port)});
  }

  void cluster_door(const std::string& ip) {
    Door door{address(ip, s_.port), {}, {}};
    const Endpoints& to = s_.internal_local ? local_ : all_;
    if (to.empty()) {
      door.elements.push_back({"no_endpoints", door.at, s_.internal_local && !all_.empty() ? "drop" : "goto refuse"});
    } else {
      door.elements.push_back({"services", door.at, go(&door, "inside", to)});
      lead(&door, "endpoints", to);
    }
    out_.doors.push_back(std::move(door));
  }

  void outside_door(const std::string& at, bool guarded, bool port) {
    Door door{at, {}, {}};
    const std::string prefix = port ? "port" : "";
    const char* refused = port ? "no_endpoint_ports" : "no_endpoints";
    if (all_.empty()) {
      door.elements.push_back({refused, at, "goto refuse"});
    } else if (!s_.external_local) {
      door.elements.push_back({port ? "node_ports" : "services", at, go(&door, port ? "port" : "outside", all_)});
      lead(&door, port ? "node_endpoints" : "endpoints", all_);
    } else {
      door.elements.push_back({port ? "node_ports" : "services", at, go(&door, prefix + "split", all_)});
      lead(&door, port ? "node_endpoints" : "endpoints", all_);
      if (local_.empty()) {
        door.elements.push_back({refused, at, "drop"});
      } else if (sticky_.empty()) {
        door.elements.push_back({port ? "node_ports_local" : "services_local", at, go(&door, prefix + "local", local_)});
        lead(&door, port ? "node_endpoints_local" : "endpoints_local", local_);
      }
    }
    if (guarded) {
      door.elements.push_back({"guarded", at, ""});
      for (const auto& range : outermost(s_.source_ranges, family_)) door.elements.push_back({"allowed", at + " . " + range, ""});
    }
    out_.doors.push_back(std::move(door));
  }

  // Chains of a Service with affinity: who is in an endpoint's set goes there, others by chance; going there puts one into the set.
  void remember_clients() {
    const std::string t = word(family_);
    auto endpoint = [&](const Endpoint& e) { return sticky_ + "-" + hash(at(e, family_)); };
    auto spread = [&](const Endpoints& to) {
      std::string rules;
      for (const auto* e : to) rules += t + " saddr @" + endpoint(*e) + " goto " + endpoint(*e) + "\n";
      rules += "numgen random mod " + std::to_string(to.size()) + " vmap {";
      for (size_t i = 0; i < to.size(); ++i) rules += (i ? ", " : " ") + std::to_string(i) + " : goto " + endpoint(*to[i]);
      return rules + " }\n";
    };
    const std::string all = sticky_ + "-all", local = sticky_ + "-local";
    const bool only_local = s_.internal_local && wanted_.contains("inside");
    if (wanted_.contains("inside"))
      out_.chains[sticky_ + "-inside"] = (pods_ ? t + " saddr != @pods " + kMark : std::string()) + "goto " + (only_local ? local : all) + "\n";
    if (wanted_.contains("outside")) out_.chains[sticky_ + "-outside"] = kMark + ("goto " + all + "\n");
    if (wanted_.contains("split"))
      out_.chains[sticky_ + "-split"] = t + " saddr @pods goto " + all + "\nfib saddr type local " + kMark + "fib saddr type local goto " + all + "\n" + (local_.empty() ? "" : "goto " + local + "\n");
    const bool to_all = wanted_.contains("outside") || wanted_.contains("split") || (wanted_.contains("inside") && !only_local);
    const bool to_local = only_local || (wanted_.contains("split") && !local_.empty());
    if (to_all) out_.chains[all] = spread(all_);
    if (to_local) out_.chains[local] = spread(local_);
    const std::string type = family_ == Family::kIPv4 ? "ipv4_addr" : "ipv6_addr";
    for (const Endpoints& some : {to_all ? all_ : Endpoints(), to_local ? local_ : Endpoints()})
      for (const auto* e : some) {
        const std::string name = endpoint(*e);
        out_.sets[name] = "type " + type + "; flags dynamic,timeout; timeout " + std::to_string(s_.affinity_s) + "s; size 65535;";
        out_.chains[name] = "update @" + name + " { " + t + " saddr }\nmeta l4proto " + s_.protocol + " dnat " + t + " to " + at(*e, family_) + "\n";
      }
  }

  const Service& s_;
  const Family family_;
  const Endpoints all_, local_;
  const std::string sticky_;
  const bool pods_;
  std::set<std::string> wanted_;  // kinds of doors of a Service with affinity
  Share out_;
};

}  // namespace

Share share_of(const Service& service, const Facts& facts, Family family) { return Maker(service, facts, family).make(); }

std::string chain_rules(const std::string& name, Family family) {
  const size_t dash = name.find('-');
  const std::string kind = name.substr(0, dash), count = name.substr(dash + 1), t = word(family);
  const bool port = kind.starts_with("port");
  const std::string key = port ? "meta l4proto . th dport" : t + " daddr . meta l4proto . th dport";
  auto send = [&](const std::string& map) { return "meta l4proto { tcp, udp, sctp } dnat " + t + " to " + key + " . numgen random mod " + count + " map @" + map + "\n"; };
  const std::string all = port ? "node_endpoints" : "endpoints";
  if (kind == "inside") return t + " saddr != @pods " + kMark + send(all);
  if (kind == "outside" || kind == "port") return kMark + send(all);
  if (kind.ends_with("local")) return send(all + "_local");
  // split: pods and this node itself reach all endpoints; what comes from elsewhere only local ones, with its own address.
  return t + " saddr @pods " + send(all) + "fib saddr type local " + kMark + "fib saddr type local " + send(all) + key + " vmap @" + (port ? "node_ports_local" : "services_local") + "\n";
}

}  // namespace lotse::proxy_nftables
