// From a Pod to the runtime's sandbox_run: name, DNS, ports, namespaces, labels; and the pod's /etc/hosts.
#pragma once
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/pod_dirs.h"
#include "core/agent/pod_spec.h"
#include "core/base/msgpack.h"
#include "core/object/json.h"

namespace lotse::agent {

inline constexpr std::string_view kLabelPod = "io.kubernetes.pod.name", kLabelNamespace = "io.kubernetes.pod.namespace",
                                  kLabelUid = "io.kubernetes.pod.uid", kLabelContainer = "io.kubernetes.container.name",
                                  kLabelNode = "lotse.io/node";

struct Dns {
  std::vector<std::string> servers, searches, options;
};
// Reads the text of a resolv.conf.
Dns parse_resolv_conf(std::string_view text);
// By dnsPolicy and dnsConfig; `host` is the node's own.
Dns pod_dns(const json::Value& pod, const Config& config, const Dns& host);

std::string pod_hostname(const json::Value& pod, const Config& config);
// The file's text; `node_hosts` is the node's /etc/hosts, for pods in the host's network.
std::string hosts_file(const json::Value& pod, const std::vector<std::string>& ips, const Config& config,
                       std::string_view node_hosts);

MsgValue sandbox_request(const json::Value& pod, const PodSpec& spec, const Config& config, const PodDirs& dirs,
                         const Dns& dns, const std::string& cgroup_parent, int attempt);

}  // namespace lotse::agent
