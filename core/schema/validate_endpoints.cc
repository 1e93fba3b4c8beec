// Endpoints and EndpointSlices.
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

// Addresses that mean something else on every node are no endpoints.
void check_endpoint_ip(std::string_view ip, const FieldPath& path, Errors* errors) {
  if (auto why = ip_address(ip); !why.empty()) return errors->invalid(path, ip, why);
  if (ip == "0.0.0.0" || ip == "::") errors->invalid(path, ip, "may not be unspecified (0.0.0.0 or ::)");
  if (ip.starts_with("127.") || ip == "::1")
    errors->invalid(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (ip.starts_with("169.254.") || ip.starts_with("fe80:"))
    errors->invalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (ip.starts_with("224.0.0.") || ip.starts_with("ff02:"))
    errors->invalid(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

void check_subset(const Value& subset, const FieldPath& path, Errors* errors) {
  if (subset["addresses"].empty() && subset["notReadyAddresses"].empty()) {
    errors->required(path, "must specify `addresses` or `notReadyAddresses`");
  }
  for (std::string_view key : {"addresses", "notReadyAddresses"}) {
    const FieldPath list = path.child(key);
    for (size_t i = 0; i < subset[key].size(); ++i) {
      const Value& address = subset[key].at(i);
      const FieldPath at = list.index(i);
      if (const std::string_view host = address["hostname"].str(); !host.empty())
        errors->check(at.child("hostname"), host, dns_label(host));
      if (const std::string_view node = address["nodeName"].str(); !node.empty())
        errors->check(at.child("nodeName"), node, dns_subdomain(node));
      check_endpoint_ip(address["ip"].str(), at.child("ip"), errors);
    }
  }
  const FieldPath ports = path.child("ports");
  for (size_t i = 0; i < subset["ports"].size(); ++i) {
    const FieldPath at = ports.index(i);
    const std::string_view name = subset["ports"].at(i)["name"].str();
    if (name.empty() && subset["ports"].size() > 1) errors->required(at.child("name"));
    if (!name.empty()) errors->check(at.child("name"), name, dns_label(name));
    check_port(subset["ports"].at(i)["port"], at.child("port"), errors);
  }
}

void check_slice_address(std::string_view type, std::string_view address, const FieldPath& path, Errors* errors) {
  if (type == "FQDN") return errors->check(path, address, dns_subdomain(address));
  check_endpoint_ip(address, path, errors);
  if (type == "IPv4" && is_ipv6(address)) errors->invalid(path, address, "must be an IPv4 address");
  if (type == "IPv6" && !is_ipv6(address)) errors->invalid(path, address, "must be an IPv6 address");
}

}  // namespace

void validate_endpoints(const Rules& r) {
  const FieldPath subsets("subsets");
  for (size_t i = 0; i < r.object["subsets"].size(); ++i)
    check_subset(r.object["subsets"].at(i), subsets.index(i), &r.errors);
}

void validate_endpoint_slice(const Rules& r) {
  const FieldPath endpoints("endpoints"), ports("ports");
  const Value &all = r.object["endpoints"], &all_ports = r.object["ports"];
  const std::string_view type = r.object["addressType"].str();
  if (all.size() > 1000) r.errors.too_many(endpoints, all.size(), 1000);
  for (size_t i = 0; i < all.size(); ++i) {
    const Value& e = all.at(i);
    const FieldPath at = endpoints.index(i), addresses = at.child("addresses");
    if (e["addresses"].size() > 100) r.errors.too_many(addresses, e["addresses"].size(), 100);
    for (size_t a = 0; a < e["addresses"].size(); ++a)
      check_slice_address(type, e["addresses"].at(a).str(), addresses.index(a), &r.errors);
    if (const std::string_view host = e["hostname"].str(); !host.empty())
      r.errors.check(at.child("hostname"), host, dns_label(host));
    if (const std::string_view node = e["nodeName"].str(); !node.empty())
      r.errors.check(at.child("nodeName"), node, dns_subdomain(node));
  }
  std::set<std::string_view> names;
  if (all_ports.size() > 20000) r.errors.too_many(ports, all_ports.size(), 20000);
  for (size_t i = 0; i < all_ports.size(); ++i) {
    const Value& port = all_ports.at(i);
    const FieldPath at = ports.index(i);
    const std::string_view name = port["name"].str();
    if (!name.empty()) r.errors.check(at.child("name"), name, dns_label(name));
    if (!names.insert(name).second) r.errors.duplicate(at.child("name"), name);
    if (!port["port"].is_null()) check_port(port["port"], at.child("port"), &r.errors);
  }
  if (r.old) check_unchanged(r.object["addressType"], (*r.old)["addressType"], FieldPath("addressType"), &r.errors);
}

}  // namespace lotse::schema
