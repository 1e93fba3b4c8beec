#include "core/daemon/cluster.h"

#include <arpa/inet.h>

#include "core/base/ids.h"
#include "core/base/msgpack.h"

namespace lotse::daemon {
namespace {

constexpr const char* kResource = "lotse/cluster";

std::string join(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ", ") + item;
  return "[" + out + "]";
}

json::Value strings(const std::vector<std::string>& list) {
  json::Value out = json::Value::array();
  for (const auto& item : list) out.push(item);
  return out;
}

std::vector<std::string> strings(const json::Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.emplace_back(item.str());
  return out;
}

}  // namespace

std::string nth_address(const std::string& cidr, uint64_t n) {
  const std::string base = cidr.substr(0, cidr.find('/'));
  const bool six = base.find(':') != std::string::npos;
  unsigned char raw[16];
  if (inet_pton(six ? AF_INET6 : AF_INET, base.c_str(), raw) != 1) return {};
  for (int i = six ? 15 : 3; i >= 0 && n; --i) {
    n += raw[i];
    raw[i] = static_cast<unsigned char>(n & 255);
    n >>= 8;
  }
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(six ? AF_INET6 : AF_INET, raw, text, sizeof text) ? text : "";
}

std::vector<std::string> ClusterSettings::dns_addresses() const {
  std::vector<std::string> out;
  for (const auto& cidr : service_cidrs) out.push_back(nth_address(cidr, 10));
  return out;
}
std::string ClusterSettings::first_service_address() const { return nth_address(service_cidrs.at(0), 1); }

Bytes ClusterSettings::encode() const {
  return Bytes(MsgValue::map({{"pod_cidrs", MsgValue::strings(pod_cidrs)}, {"service_cidrs", MsgValue::strings(service_cidrs)}, {"domain", domain},
                              {"backend", backend}, {"ca", ca_pem}, {"api", api_address}})
                   .encode());
}

Result<ClusterSettings> ClusterSettings::decode(std::string_view bytes) {
  LOTSE_TRY(MsgValue v, MsgValue::parse(bytes));
  ClusterSettings s;
  s.pod_cidrs = v["pod_cidrs"].as_strings();
  s.service_cidrs = v["service_cidrs"].as_strings();
  s.domain = v["domain"].as_text();
  s.backend = v["backend"].as_text();
  s.ca_pem = v["ca"].as_text();
  s.api_address = v["api"].as_text();
  if (s.pod_cidrs.empty() || s.service_cidrs.empty() || s.domain.empty()) return Status(Reason::kBadRequest, "the master's cluster settings are not whole");
  return s;
}

Result<ClusterSettings> settle_cluster(store::Store& store, const config::Config::Network& network, const std::string& file) {
  ClusterSettings wanted;
  wanted.pod_cidrs = network.pod_cidr;
  wanted.service_cidrs = network.service_cidr;
  wanted.domain = network.cluster_domain;
  wanted.backend = network.backend;
  const store::Key key{kResource, "", "network"};
  auto kept = store.get(key);
  if (!kept.ok() && kept.status().reason != Reason::kNotFound) return kept.status();
  if (!kept.ok()) {
    json::Value v = json::Value::object({{"apiVersion", "lotse/v1"}, {"kind", "Cluster"}});
    v["metadata"]["name"] = "network";
    v["metadata"]["uid"] = make_uuid();
    v["network"] = json::Value::object({{"podCIDRs", strings(wanted.pod_cidrs)}, {"serviceCIDRs", strings(wanted.service_cidrs)}, {"domain", wanted.domain}, {"backend", wanted.backend}});
    store::Write write;
    write.key = key;
    write.expected = 0;
    write.object = Object::from_value(std::move(v), 0);
    auto done = store::commit_and_wait(store, std::move(write));
    if (!done.ok()) return done.status();
    return wanted;
  }
  json::Value document = (*kept)->value();
  const auto& n = document["network"];
  auto differs = [&](const char* name, const std::string& now, const std::string& was) {
    return Status(Reason::kInvalid, file + ": [network] " + name + " = " + now + " differs from " + was + ", with which this cluster was made; it cannot be changed");
  };
  if (strings(n["podCIDRs"]) != wanted.pod_cidrs) return differs("pod_cidr", join(wanted.pod_cidrs), join(strings(n["podCIDRs"])));
  if (strings(n["serviceCIDRs"]) != wanted.service_cidrs) return differs("service_cidr", join(wanted.service_cidrs), join(strings(n["serviceCIDRs"])));
  if (n["domain"].str() != wanted.domain) return differs("cluster_domain", wanted.domain, std::string(n["domain"].str()));
  if (n["backend"].str() != wanted.backend) return differs("backend", wanted.backend, std::string(n["backend"].str()));
  return wanted;
}

}  // namespace lotse::daemon
