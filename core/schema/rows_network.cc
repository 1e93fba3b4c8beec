// Service, Endpoints, EndpointSlice.
#include "core/schema/rows.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr size_t kShownMax = 3;

std::string comma(std::string list, std::string_view next) {
  return list + (list.empty() ? "" : ",") + std::string(next);
}

std::string external_ip(const Value& service) {
  const Value& spec = service["spec"];
  const std::string_view type = spec["type"].str();
  if (type == "ExternalName") return std::string(spec["externalName"].str());
  std::string out;
  if (type == "LoadBalancer") {
    for (const Value& i : service["status"]["loadBalancer"]["ingress"].items()) {
      out = comma(std::move(out), i["ip"].str().empty() ? i["hostname"].str() : i["ip"].str());
    }
  }
  for (const Value& ip : spec["externalIPs"].items()) out = comma(std::move(out), ip.str());
  if (out.empty() && type == "LoadBalancer") return "<pending>";
  return or_none(std::move(out));
}

std::string ports(const Value& spec) {
  std::string out;
  for (const Value& p : spec["ports"].items()) {
    std::string one = std::to_string(p["port"].integer());
    if (p["nodePort"].integer() != 0) one += ":" + std::to_string(p["nodePort"].integer());
    out = comma(std::move(out), one + "/" + std::string(p["protocol"].str()));
  }
  return or_none(std::move(out));
}

// The first few and how many more.
std::string shortened(const std::vector<std::string>& all, std::string_view nothing) {
  if (all.empty()) return std::string(nothing);
  std::string out;
  for (size_t i = 0; i < std::min(all.size(), kShownMax); ++i) out = comma(std::move(out), all[i]);
  if (all.size() > kShownMax) out += " + " + std::to_string(all.size() - kShownMax) + " more...";
  return out;
}

std::string host_port(std::string_view ip, int64_t port) {
  const std::string host(ip);
  return (host.find(':') == host.npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

}  // namespace

Cells row_service(const Value& service, WallTime now) {
  const Value& spec = service["spec"];
  std::string ip(spec["clusterIPs"].at(0).str(spec["clusterIP"].str()));
  return {service["metadata"]["name"], spec["type"], or_none(std::move(ip)),
          external_ip(service),        ports(spec),  age(service["metadata"]["creationTimestamp"], now),
          label_text(spec["selector"])};
}

Cells row_endpoints(const Value& endpoints, WallTime now) {
  std::vector<std::string> all;
  for (const Value& subset : endpoints["subsets"].items()) {
    for (const Value& address : subset["addresses"].items()) {
      if (subset["ports"].empty()) all.emplace_back(address["ip"].str());
      for (const Value& port : subset["ports"].items())
        all.push_back(host_port(address["ip"].str(), port["port"].integer()));
    }
  }
  return {endpoints["metadata"]["name"], shortened(all, "<none>"),
          age(endpoints["metadata"]["creationTimestamp"], now)};
}

Cells row_endpoint_slice(const Value& slice, WallTime now) {
  std::vector<std::string> ports, addresses;
  for (const Value& port : slice["ports"].items()) {
    ports.push_back(port["port"].is_null() ? "*" : std::to_string(port["port"].integer()));
  }
  for (const Value& endpoint : slice["endpoints"].items()) {
    for (const Value& address : endpoint["addresses"].items()) addresses.emplace_back(address.str());
  }
  return {slice["metadata"]["name"], slice["addressType"], shortened(ports, "<unset>"), shortened(addresses, "<unset>"),
          age(slice["metadata"]["creationTimestamp"], now)};
}

}  // namespace lotse::schema
