#include "plugins/service_table/table.h"

#include <arpa/inet.h>

#include <algorithm>

namespace lotse::service_table {
namespace {

bool any_address(const std::string& text) { return is_address(text, Family::kIPv4) || is_address(text, Family::kIPv6); }
bool is_port(int64_t port, bool zero) { return port >= (zero ? 0 : 1) && port <= 65535; }

// The id goes into comments and names of chains' hashes: what is not a name of Kubernetes' is refused.
bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= 512 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/' || c == ':';
  });
}

std::vector<std::string> addresses(const sdk::Msg& list) {
  std::vector<std::string> out;
  for (auto& text : list.as_strings())
    if (any_address(text)) out.push_back(text);
  return out;
}

}  // namespace

bool is_address(const std::string& text, Family family) {
  char raw[16];
  return inet_pton(family == Family::kIPv4 ? AF_INET : AF_INET6, text.c_str(), raw) == 1;
}

bool is_network(const std::string& text, Family family) {
  const size_t slash = text.find('/');
  if (slash == text.npos || slash + 1 == text.size() || text.size() - slash > 4) return false;
  const std::string bits = text.substr(slash + 1);
  if (bits.find_first_not_of("0123456789") != bits.npos) return false;
  return is_address(text.substr(0, slash), family) && std::stoi(bits) <= (family == Family::kIPv4 ? 32 : 128);
}

std::vector<std::string> of_family(const std::vector<std::string>& texts, Family family, bool networks) {
  std::vector<std::string> out;
  for (const auto& text : texts)
    if (networks ? is_network(text, family) : is_address(text, family)) out.push_back(text);
  return out;
}

bool parse_service(const sdk::Msg& m, Service* s, Problem* problem) {
  auto refuse = [&](const std::string& why) {
    *problem = {m["id"].str(), "InvalidService", why};
    return false;
  };
  s->id = m["id"].str();
  if (!is_id(s->id)) return refuse("the service has no usable id");
  const std::string protocol = m["protocol"].str();
  if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP") return refuse("unknown protocol '" + protocol + "'");
  s->protocol = protocol == "TCP" ? "tcp" : protocol == "UDP" ? "udp" : "sctp";
  if (!is_port(m["port"].as_int(), false) || !is_port(m["node_port"].as_int(), true)) return refuse("a port is out of range");
  s->port = static_cast<int>(m["port"].as_int());
  s->node_port = static_cast<int>(m["node_port"].as_int());
  s->affinity_s = static_cast<int>(std::clamp<int64_t>(m["affinity_s"].as_int(), 0, 86400));
  s->health_check_port = static_cast<int>(m["health_check_port"].as_int());
  s->internal_local = m["internal_local"].as_bool();
  s->external_local = m["external_local"].as_bool();
  s->cluster_ips = addresses(m["cluster_ips"]);
  s->external_ips = addresses(m["external_ips"]);
  s->load_balancer_ips = addresses(m["load_balancer_ips"]);
  for (auto& range : m["source_ranges"].as_strings())
    if (is_network(range, Family::kIPv4) || is_network(range, Family::kIPv6)) s->source_ranges.push_back(range);
  for (const auto& e : m["endpoints"].items()) {
    Endpoint endpoint{e["ip"].str(), static_cast<int>(e["port"].as_int()), e["local"].as_bool(), e["ready"].as_bool(true), e["serving"].as_bool(true), e["terminating"].as_bool()};
    if (any_address(endpoint.ip) && is_port(e["port"].as_int(), false)) s->endpoints.push_back(std::move(endpoint));
  }
  return true;
}

Facts parse_facts(const sdk::Msg& table) {
  return {table["pod_cidrs"].as_strings(), table["cluster_cidrs"].as_strings(), table["node_port_addresses"].as_strings(), table["peer_addresses"].as_strings()};
}

}  // namespace lotse::service_table
