#include "core/agent/sandbox_config.h"

#include "core/agent/security_context.h"

namespace lotse::agent {
namespace {

constexpr size_t kServersMost = 3, kSearchesMost = 32, kSearchTextMost = 2048, kHostnameMost = 63;

void add_unique(std::vector<std::string>* list, std::string_view text) {
  if (!text.empty() && std::find(list->begin(), list->end(), text) == list->end()) list->emplace_back(text);
}

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> out;
  size_t i = 0;
  while (i < line.size()) {
    while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
    size_t start = i;
    while (i < line.size() && line[i] != ' ' && line[i] != '\t') ++i;
    if (i > start) out.emplace_back(line.substr(start, i - start));
  }
  return out;
}

void limit(Dns* dns) {
  if (dns->servers.size() > kServersMost) dns->servers.resize(kServersMost);
  if (dns->searches.size() > kSearchesMost) dns->searches.resize(kSearchesMost);
  size_t length = 0, keep = 0;
  for (const auto& s : dns->searches) {
    length += s.size() + 1;
    if (length > kSearchTextMost) break;
    ++keep;
  }
  dns->searches.resize(keep);
}

// An option of the pod replaces one of the same name.
void set_option(Dns* dns, const json::Value& option) {
  std::string name(option["name"].str());
  std::erase_if(dns->options, [&](const std::string& have) { return have.substr(0, have.find(':')) == name; });
  dns->options.push_back(option["value"].is_string() ? name + ":" + std::string(option["value"].str()) : name);
}

std::string cut_hostname(std::string name) {
  if (name.size() > kHostnameMost) name.resize(kHostnameMost);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

std::string fqdn(const json::Value& pod, const Config& config, const std::string& host) {
  auto subdomain = pod["spec"]["subdomain"].str();
  if (subdomain.empty()) return {};
  return host + "." + std::string(subdomain) + "." + std::string(pod["metadata"]["namespace"].str()) + ".svc." +
         config.cluster_domain;
}

MsgValue map_of(const json::Value& map) {
  auto out = MsgValue::map();
  for (const auto& [k, v] : map.members()) out.append(k, MsgValue(v.str()));
  return out;
}

}  // namespace

Dns parse_resolv_conf(std::string_view text) {
  Dns dns;
  while (!text.empty()) {
    auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (auto hash = line.find_first_of("#;"); hash != std::string_view::npos) line = line.substr(0, hash);
    auto w = words(line);
    if (w.size() < 2) continue;
    if (w[0] == "nameserver") dns.servers.push_back(w[1]);
    if (w[0] == "search") dns.searches.assign(w.begin() + 1, w.end());
    if (w[0] == "options") dns.options.assign(w.begin() + 1, w.end());
  }
  return dns;
}

Dns pod_dns(const json::Value& pod, const Config& config, const Dns& host) {
  const auto& spec = pod["spec"];
  auto policy = spec["dnsPolicy"].str("ClusterFirst");
  if (policy == "ClusterFirst" && spec["hostNetwork"].boolean()) policy = "Default";
  Dns dns;
  if (policy == "Default" || (policy != "None" && config.cluster_dns.empty())) {
    dns = host;
  } else if (policy != "None") {
    std::string ns(pod["metadata"]["namespace"].str());
    dns.servers = config.cluster_dns;
    dns.searches = {ns + ".svc." + config.cluster_domain, "svc." + config.cluster_domain, config.cluster_domain};
    for (const auto& s : host.searches) add_unique(&dns.searches, s);
    dns.options = {"ndots:5"};
  }
  const auto& own = spec["dnsConfig"];
  for (const auto& s : own["nameservers"].items()) add_unique(&dns.servers, s.str());
  for (const auto& s : own["searches"].items()) add_unique(&dns.searches, s.str());
  for (const auto& o : own["options"].items()) set_option(&dns, o);
  limit(&dns);
  return dns;
}

std::string pod_hostname(const json::Value& pod, const Config& config) {
  const auto& spec = pod["spec"];
  if (auto name = spec["hostnameOverride"].str(); !name.empty()) return std::string(name);
  if (spec["hostNetwork"].boolean()) return config.hostname.empty() ? config.node_name : config.hostname;
  auto host = cut_hostname(std::string(spec["hostname"].str(pod["metadata"]["name"].str())));
  if (!spec["setHostnameAsFQDN"].boolean()) return host;
  auto full = fqdn(pod, config, host);
  return full.empty() ? host : full;
}

std::string hosts_file(const json::Value& pod, const std::vector<std::string>& ips, const Config& config,
                       std::string_view node_hosts) {
  const auto& spec = pod["spec"];
  std::string out;
  if (spec["hostNetwork"].boolean()) {
    out = "# Kubernetes-managed hosts file (host network).\n" + std::string(node_hosts);
    if (!out.ends_with('\n')) out += '\n';
  } else {
    out = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
          "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
    auto host = pod_hostname(pod, config);
    auto short_name = host.substr(0, spec["setHostnameAsFQDN"].boolean() ? host.find('.') : std::string::npos);
    auto full = fqdn(pod, config, short_name);
    for (const auto& ip : ips) out += ip + "\t" + (full.empty() ? "" : full + "\t") + short_name + "\n";
  }
  if (spec["hostAliases"].empty()) return out;
  out += "\n# Entries added by HostAliases.\n";
  for (const auto& alias : spec["hostAliases"].items()) {
    out += alias["ip"].str();
    for (const auto& name : alias["hostnames"].items()) (out += '\t') += name.str();
    out += '\n';
  }
  return out;
}

MsgValue sandbox_request(const json::Value& pod, const PodSpec& spec, const Config& config, const PodDirs& dirs,
                         const Dns& dns, const std::string& cgroup_parent, int attempt) {
  const auto& ps = pod["spec"];
  auto labels = map_of(pod["metadata"]["labels"]);
  labels.set(kLabelPod, spec.name);
  labels.set(kLabelNamespace, spec.ns);
  labels.set(kLabelUid, spec.uid);
  labels.set(kLabelNode, config.node_name);
  auto request = MsgValue::map({{"uid", spec.uid},
                                {"namespace", spec.ns},
                                {"name", spec.name},
                                {"attempt", attempt},
                                {"log_dir", dirs.logs},
                                {"cgroup_parent", cgroup_parent},
                                {"host_network", spec.host_network},
                                {"host_pid", ps["hostPID"].boolean()},
                                {"host_ipc", ps["hostIPC"].boolean()},
                                {"share_pid", ps["shareProcessNamespace"].boolean()},
                                {"image", config.pause_image}});
  // In the node's network the name is the node's, and not ours to set.
  if (!spec.host_network) request.set("hostname", pod_hostname(pod, config));
  if (ps["hostUsers"].is_bool()) request.set("host_users", ps["hostUsers"].boolean());
  request.set("dns", MsgValue::map({{"servers", MsgValue::strings(dns.servers)},
                                    {"searches", MsgValue::strings(dns.searches)},
                                    {"options", MsgValue::strings(dns.options)}}));
  request.set("labels", std::move(labels));
  request.set("annotations", map_of(pod["metadata"]["annotations"]));
  auto ports = MsgValue(MsgValue::Array());
  for (const char* list : {"initContainers", "containers"}) {
    for (const auto& c : ps[list].items()) {
      for (const auto& p : c["ports"].items()) {
        if (p["hostPort"].integer() <= 0 || spec.host_network) continue;
        auto port = MsgValue::map({{"container", p["containerPort"].integer()}, {"host", p["hostPort"].integer()},
                                   {"protocol", p["protocol"].str("TCP")}});
        if (!p["hostIP"].str().empty()) port.set("ip", p["hostIP"].str());
        ports.push(std::move(port));
      }
    }
  }
  request.set("ports", std::move(ports));
  auto sysctls = MsgValue::map();
  for (const auto& s : ps["securityContext"]["sysctls"].items()) sysctls.set(s["name"].str(), s["value"].str());
  request.set("sysctls", std::move(sysctls));
  request.set("security", sandbox_security(pod));
  if (!ps["runtimeClassName"].str().empty()) request.set("runtime_handler", ps["runtimeClassName"].str());
  if (!config.cni_dir.empty()) request.set("cni", config.cni_dir);
  request.set("cni_args", MsgValue::map({{"K8S_POD_NAMESPACE", spec.ns},
                                         {"K8S_POD_NAME", spec.name},
                                         {"K8S_POD_UID", spec.uid},
                                         {"IgnoreUnknown", "1"}}));
  return request;
}

}  // namespace lotse::agent
