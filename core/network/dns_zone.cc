#include "core/network/dns_zone.h"

#include <arpa/inet.h>

#include <algorithm>

namespace lotse::network::dns {
namespace {

std::vector<std::string> split(std::string_view name) {
  std::vector<std::string> out;
  while (!name.empty()) {
    const size_t dot = name.find('.');
    out.emplace_back(name.substr(0, dot));
    name = dot == name.npos ? std::string_view() : name.substr(dot + 1);
  }
  return out;
}

bool ends_in(std::string_view name, std::string_view zone) {
  return name == zone || (name.size() > zone.size() && name.ends_with(zone) && name[name.size() - zone.size() - 1] == '.');
}

bool wanted(const Record& r, uint16_t type) { return type == r.type || type == kAny; }

// An endpoint's own label: its hostname, else its address with dashes.
std::string label_of(const Endpoint& e) {
  if (!e.hostname.empty()) return e.hostname;
  std::string out = e.ip;
  std::replace(out.begin(), out.end(), '.', '-');
  std::replace(out.begin(), out.end(), ':', '-');
  return out;
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// "4.3.2.1.in-addr.arpa" and ip6.arpa; empty: neither.
std::string reversed_address(const std::string& name) {
  std::vector<std::string> labels = split(name);
  if (name.ends_with(".in-addr.arpa") && labels.size() == 6) return labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0];
  if (!name.ends_with(".ip6.arpa") || labels.size() != 34) return {};
  std::string text;
  for (int i = 31; i >= 0; --i) {
    text += labels[static_cast<size_t>(i)];
    if (i % 4 == 0 && i) text += ':';
  }
  char raw[16], canonical[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET6, text.c_str(), raw) != 1) return {};
  return inet_ntop(AF_INET6, raw, canonical, sizeof canonical) ? canonical : "";
}

}  // namespace

std::string Zone::name_of(const Service& s) const { return s.name + "." + s.ns + ".svc." + domain_; }

Answer Zone::nothing(Code code) const {
  Answer a;
  a.code = code;
  std::string data = wire_name("ns.dns." + domain_) + wire_name("hostmaster." + domain_);
  for (uint32_t v : {1u, 7200u, 1800u, 86400u, kTtl_s})
    for (int shift = 24; shift >= 0; shift -= 8) data += static_cast<char>(v >> shift & 255);
  a.authority.push_back({domain_, kSoa, kTtl_s, std::move(data)});
  return a;
}

std::optional<Answer> Zone::answer(const Query& q, std::string* ask_for) const {
  if (q.cls != 1) return std::nullopt;
  if (q.name.ends_with(".arpa")) return reverse(q);
  if (!ends_in(q.name, domain_)) return std::nullopt;
  std::vector<std::string> labels = split(std::string_view(q.name).substr(0, q.name.size() - domain_.size()));
  if (labels.empty()) return nothing(kNoError);
  std::string kind = labels.back();
  labels.pop_back();
  if (kind == "svc") return service(q, std::move(labels), ask_for);
  if (kind == "dns-version" && labels.empty()) {
    Answer a;
    if (q.type == kTxt || q.type == kAny) a.answers.push_back({q.name, kTxt, 28800, std::string("\5") + "1.1.0"});
    return a.answers.empty() ? nothing(kNoError) : a;
  }
  if (kind == "pod" && labels.size() == 2) {
    std::string ip = labels[0];
    std::string dotted = ip;
    std::replace(dotted.begin(), dotted.end(), '-', '.');
    std::replace(ip.begin(), ip.end(), '-', ':');
    for (const std::string& text : {dotted, ip})
      if (!address_data(text).empty()) {
        Answer a;
        Record r = address(q.name, text, kTtl_s);
        if (wanted(r, q.type)) a.answers.push_back(std::move(r));
        return a.answers.empty() ? nothing(kNoError) : a;
      }
  }
  return nothing(kNxDomain);
}

// labels, from the left, without "svc" and the domain: [ns], [svc, ns], [host, svc, ns], [_port, _protocol, svc, ns].
Answer Zone::service(const Query& q, std::vector<std::string> labels, std::string* ask_for) const {
  if (labels.empty()) return nothing(kNoError);
  if (labels.size() == 1) return nothing(services_.has_namespace(labels[0]) ? kNoError : kNxDomain);
  const Service* s = services_.find(labels[labels.size() - 1], labels[labels.size() - 2]);
  if (!s || labels.size() > 4) return nothing(kNxDomain);
  if (labels.size() == 4) {
    if (labels[0][0] != '_' || labels[1][0] != '_') return nothing(kNxDomain);
    return ports(q, *s, labels[0].substr(1), labels[1].substr(1));
  }
  if (labels.size() == 3) {
    if (!s->headless) return nothing(kNxDomain);
    return endpoints(q, *s, q.name, &labels[0]);
  }
  if (s->type == "ExternalName") {
    Answer a;
    a.answers.push_back({q.name, kCname, kTtl_s, wire_name(s->external_name)});
    if (ask_for && (q.type == kA || q.type == kAaaa)) *ask_for = s->external_name;
    return a;
  }
  if (q.type == kSrv) return ports(q, *s, "", "");
  if (s->headless) return endpoints(q, *s, q.name, nullptr);
  Answer a;
  for (const auto& ip : s->cluster_ips)
    if (Record r = address(q.name, ip, kTtl_s); wanted(r, q.type)) a.answers.push_back(std::move(r));
  return a.answers.empty() ? nothing(kNoError) : a;
}

// The addresses of a headless Service, or of one of its endpoints.
Answer Zone::endpoints(const Query& q, const Service& s, const std::string& name, const std::string* host) const {
  Answer a;
  bool any = false;
  std::set<std::string> seen;
  for (const auto& [slice, parsed] : s.slices)
    for (const auto& e : parsed.endpoints) {
      if (!e.ready || (host && lower(label_of(e)) != *host)) continue;
      any = true;
      Record r = address(name, e.ip, kTtl_s);
      if (wanted(r, q.type) && seen.insert(e.ip).second) a.answers.push_back(std::move(r));
    }
  if (!any) return nothing(host ? kNxDomain : kNoError);
  return a.answers.empty() ? nothing(kNoError) : a;
}

// SRV: a Service's port, or all of them (port empty). The targets' addresses come along.
Answer Zone::ports(const Query& q, const Service& s, const std::string& port, const std::string& protocol) const {
  Answer a;
  bool any = false;
  std::set<std::string> given;
  auto add = [&](uint16_t number, const std::string& target, const std::string& ip) {
    any = true;
    if (q.type != kSrv && q.type != kAny) return;
    a.answers.push_back(srv(q.name, number, target, kTtl_s));
    if (given.insert(target + ip).second) a.additional.push_back(address(target, ip, kTtl_s));
  };
  auto matches = [&](const std::string& name, const std::string& proto) { return (port.empty() || lower(name) == port) && (protocol.empty() || lower(proto) == protocol); };
  if (!s.headless) {
    for (const auto& p : s.ports)
      if (matches(p.name, p.protocol))
        for (const auto& ip : s.cluster_ips) add(static_cast<uint16_t>(p.port), name_of(s), ip);
  } else {
    for (const auto& [slice, parsed] : s.slices)
      for (const auto& p : parsed.ports)
        if (matches(p.name, p.protocol))
          for (const auto& e : parsed.endpoints)
            if (e.ready) add(static_cast<uint16_t>(p.port), label_of(e) + "." + name_of(s), e.ip);
  }
  if (!any) return nothing(port.empty() ? kNoError : kNxDomain);
  return a.answers.empty() ? nothing(kNoError) : a;
}

std::optional<Answer> Zone::reverse(const Query& q) const {
  const std::string ip = reversed_address(q.name);
  if (ip.empty()) return std::nullopt;
  const Endpoint* endpoint = nullptr;
  const Service* s = services_.by_ip(ip, &endpoint);
  if (!s) return std::nullopt;
  Answer a;
  std::string target = endpoint ? label_of(*endpoint) + "." + name_of(*s) : name_of(*s);
  if (q.type == kPtr || q.type == kAny) a.answers.push_back({q.name, kPtr, kTtl_s, wire_name(target)});
  return a.answers.empty() ? nothing(kNoError) : a;
}

}  // namespace lotse::network::dns
