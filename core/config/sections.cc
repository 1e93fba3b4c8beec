// The core's sections. The operator's names: they stay.
#include <cctype>
#include <cstring>

#include "core/config/config.h"
#include "core/config/values.h"

namespace lotse::config {
namespace {

std::string check_cidr(std::string_view text) {
  return parse_cidr(text).status().message;
}

std::string check_bus_address(std::string_view text) {
  constexpr std::string_view kScheme = "tcp://";
  bool good = text.substr(0, kScheme.size()) == kScheme && check_host_port(text.substr(kScheme.size())).ok();
  return good ? "" : "is no address such as tcp://0.0.0.0:6442";
}

std::string check_advertised(std::string_view text) {
  return text.empty() || is_ip(text) ? "" : "is no IP address";
}

std::string check_path(std::string_view text) {
  return text.substr(0, 1) == "/" ? "" : "is no absolute path";
}

// A DNS subdomain (RFC 1123): lower case labels of at most 63 characters.
std::string check_domain(std::string_view text) {
  size_t label = 0;
  char before = '.';
  for (char c : text) {
    bool alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!alnum && (before == '.' || (c != '-' && c != '.'))) return "is no DNS name in lower case";
    if (c == '.' && before == '-') return "is no DNS name in lower case";
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return "is no DNS name in lower case";
    before = c;
  }
  return text.empty() || text.size() > 253 || before == '.' || before == '-' ? "is no DNS name in lower case" : "";
}

std::string check_node_name(std::string_view text) {
  return text.empty() ? "" : check_domain(text);
}

// HOST, HOST:PORT or one with a path below it.
std::string check_registry(std::string_view text) {
  bool good = text.size() > 1 && text.size() <= 255 && text[0] != '.' && text[0] != '-' && text.back() != '/' &&
              text.find("//") == std::string_view::npos && text.find("..") == std::string_view::npos;
  for (char c : text) good = good && (isalnum(static_cast<unsigned char>(c)) || strchr("._-:/", c) != nullptr);
  std::string_view host = text.substr(0, text.find('/'));
  good = good && (host.find_first_of(".:") != std::string_view::npos || host == "localhost");
  return good ? "" : "is no registry such as registry.example.com:5000";
}

std::string check_file(std::string_view text) {
  return text.empty() ? "" : check_path(text);
}

Key key(std::string name, KeyType type, std::string fallback, std::string doc,
        std::string (*check)(std::string_view) = nullptr, std::vector<std::string> choices = {}) {
  Key made;
  made.name = std::move(name);
  made.type = type;
  made.fallback = std::move(fallback);
  made.doc = std::move(doc);
  made.check = check;
  made.choices = std::move(choices);
  return made;
}

Key number(std::string name, std::string fallback, int64_t minimum, int64_t maximum, std::string doc) {
  Key made = key(std::move(name), KeyType::kInteger, std::move(fallback), std::move(doc));
  made.minimum = minimum;
  made.maximum = maximum;
  return made;
}

Section worker_section() {
  using enum KeyType;
  return {"worker",
          "What a worker keeps an eye on.",
          {number("pods_max", "110", 1, 10000, "How many pods it takes."),
           key("care_period", kDuration, "10s", "How often it looks at memory, disk and the sizes of logs."),
           key("eviction_memory_available", kSize, "100MiB",
               "With less memory than this a pod has to go, and no best-effort pod is let in; 0: never."),
           number("eviction_disk_available_percent", "10", 0, 100,
                  "With a smaller share of the data directory's disk free, images that nobody uses go, then pods."),
           number("eviction_inodes_free_percent", "5", 0, 100, "The same, of its inodes."),
           key("eviction_transition", kDuration, "5m", "How long a node counts as under pressure after the last of it."),
           number("image_gc_high_percent", "85", 0, 100, "From this use of the disk on, unused images are removed."),
           number("image_gc_low_percent", "80", 0, 100, "Until it is down to this."),
           key("image_gc_age_min", kDuration, "2m", "How long an image is kept at least since it was last used."),
           key("image_gc_period", kDuration, "5m", "How often the disk is looked at for that."),
           key("log_file_size", kSize, "10MiB", "A container's log of this size is moved aside, and a new one begun."),
           number("log_files", "5", 2, 1000, "How many files of a container's log are kept, with the one in use.")}};
}

std::vector<Section> make_sections() {
  using enum KeyType;
  return {
      {"daemon",
       "The daemon itself.",
       {key("roles", kStrings, "[\"master\", \"worker\"]", "What this machine is.", nullptr, {"master", "worker"}),
        key("data_dir", kString, "/var/lib/lotse", "Where everything is kept that must survive a restart.", check_path),
        key("node_name", kString, "", "The node's name; empty: the host's.", check_node_name),
        key("plugin_path", kStrings, "[\"/usr/lib/lotse/plugins\"]",
            "Directories in which plugins are looked for, before ../lib/lotse/plugins beside the binary.", check_path),
        key("log_level", kString, "info", "The lowest level that is logged.", nullptr,
            {"debug", "info", "warn", "error"})}},
      {"components",
       "Which plugin fills each slot.",
       {key("transport", kStrings, "[\"rest\"]", "How clients reach the API."),
        key("state", kString, "lmdb", "Where a master keeps the cluster's objects."),
        key("scheduler", kStrings, "[\"default\"]", "Policies, of which a pod's schedulerName chooses one by its name; the first is default-scheduler as well."),
        key("runtime", kString, "containerd", "What runs containers on a worker."),
        key("proxy", kString, "iptables", "What makes Services reachable on a worker; auto: nftables where the kernel has what it needs, else iptables.")}},
      {"api",
       "The API that a master serves.",
       {key("advertise_address", kString, "", "The address that others reach it by; empty: that of the default route.",
            check_advertised),
        key("tls_san", kStrings, "[]", "Further names and addresses for its certificate.")}},
      {"bus",
       "The link between masters and workers.",
       {key("listen", kString, "tcp://0.0.0.0:6442", "Where a master listens for workers.", check_bus_address),
        key("join_file", kString, "",
            "What joins others (a worker, or a further master): the file that holds what `lotse token create` printed; ignored once it has joined.")}},
      worker_section(),
      {"network",
       "The cluster's network: read when the cluster is made and then kept in it.",
       {key("pod_cidr", kStrings, "[\"10.244.0.0/16\"]", "The pods' network, a /24 a node; one a family.", check_cidr),
        key("service_cidr", kStrings, "[\"10.96.0.0/16\"]",
            "The services' network: the first address is the API's, the tenth the DNS server's; one a family.",
            check_cidr),
        key("cluster_domain", kString, "cluster.local", "The DNS zone of the cluster.", check_domain),
        key("backend", kString, "auto", "How pods of different nodes reach each other.", nullptr,
            {"auto", "routes", "vxlan"}),
        key("load_balancer", kBoolean, "true",
            "Services of type LoadBalancer get the addresses of the ready nodes; false leaves them to another controller. It may be changed later.")}},
  };
}

}  // namespace

const std::vector<Section>& core_sections() {
  static const std::vector<Section> sections = [] {
    std::vector<Section> made = make_sections();
    for (Section& section : made)
      for (Key& key : section.keys)
        key.reloadable = (section.name == "daemon" && (key.name == "log_level" || key.name == "plugin_path")) ||
                         (section.name == "components" && key.name == "scheduler");
    return made;
  }();
  return sections;
}

Section registry_section(const std::string& host) {
  using enum KeyType;
  Section out{"registries.\"" + host + "\"",
              "How images are pulled from one registry, by every runtime; docker.io is Docker Hub. A pod's imagePullSecrets are tried "
              "before the credentials here.",
              {key("mirrors", kStrings, "[]",
                   "Registries that are asked first, in this order, for the same path; a mirror has a section of its own if it "
                   "needs one.",
                   check_registry),
               key("ca_file", kString, "", "The CA of its certificate, PEM; empty: the machine's.", check_file),
               key("username", kString, "", "Who pulls; empty: nobody in particular."),
               key("password", kString, "", "The password; the configuration must then be readable by its owner only."),
               key("password_file", kString, "", "A file that holds the password instead, readable by its owner only.",
                   check_file),
               key("insecure", kBoolean, "false", "Plain HTTP, or a certificate that nobody checks.")}};
  for (Key& k : out.keys) k.secret = k.name == "password";
  return out;
}

std::string check_registry_host(std::string_view host) {
  if (host.find('/') != std::string_view::npos) return "is no registry such as registry.example.com:5000";
  return check_registry(host);
}

const std::vector<std::string>& plugin_kinds() {
  static const std::vector<std::string> kinds = {"transport", "state", "scheduler", "runtime", "proxy"};
  return kinds;
}

}  // namespace lotse::config
