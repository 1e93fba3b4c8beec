// Config: lotse.toml, checked. The core's sections become plain members; [plugins.<kind>.<name>] stay as they were
// written until the plugin's own keys are known (check_plugin). Without a file everything has its default: the
// embedded default is a one-node cluster.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/key_table.h"

namespace lotse::config {

struct PluginTable {
  std::string kind, name;
  TomlMember table;
};

struct Config {
  std::string file;  // as given; "" for the embedded default

  struct Daemon {
    std::vector<std::string> roles;
    std::string data_dir, node_name, log_level;  // node_name: the host's where none was given
    std::vector<std::string> plugin_path;
  } daemon;
  struct Components {
    std::vector<std::string> transport, scheduler;
    std::string state, runtime, proxy;
  } components;
  struct Api {
    std::string advertise_address;  // "": the address of the default route
    std::vector<std::string> tls_san;
  } api;
  struct Bus {
    std::string listen, join_file;
  } bus;
  struct Worker {
    int pods_max, disk_available_percent, inodes_free_percent, gc_high_percent, gc_low_percent, log_files;
    int64_t memory_available, log_file_size;                    // bytes
    int64_t care_period, transition, gc_age_min, gc_period;     // ns
  } worker;
  struct Network {
    std::vector<std::string> pod_cidr, service_cidr;
    std::string cluster_domain, backend;
    bool load_balancer = true;
  } network;
  struct Registry {
    std::string host;  // "docker.io", "registry.example.com:5000"
    std::vector<std::string> mirrors;
    std::string ca_file, username, password, password_file;
    bool insecure;
  };
  std::vector<Registry> registries;
  std::vector<PluginTable> plugins;
  std::map<std::string, MsgValue> sections;  // the core's, by name, as values of their keys

  bool is_master() const { return has_role("master"); }
  bool is_worker() const { return has_role("worker"); }
  bool has_role(std::string_view role) const;
  const PluginTable* plugin(std::string_view kind, std::string_view name) const;
  std::string file_name() const { return file.empty() ? "lotse.toml" : file; }
};

// The kinds of plugins, as they stand in [plugins.<kind>.<name>] and in [components].
const std::vector<std::string>& plugin_kinds();
// The core's own sections, in the order of the sample.
const std::vector<Section>& core_sections();

// [registries."HOST"]: one a registry.
Section registry_section(const std::string& host);
std::string check_registry_host(std::string_view host);  // "" or what is wrong

// What is wrong goes to *complaints, all of it; the Config is good only if there is none.
Config parse_config(std::string_view text, const std::string& file, Complaints* complaints);
// A file, or with an empty path the embedded default. kInvalid: Complaints::text().
Result<Config> load_config(const std::string& path);

// The values of [plugins.<kind>.<name>] by the plugin's declared keys, for its create().
MsgValue check_plugin(const Config& config, const std::string& kind, const std::string& name, std::vector<Key> keys,
                      Complaints* complaints);

// The whole sample: the core's sections and those of the plugins that are given. `commented`: to start a file of one's own, with no
// value in force.
std::string sample_config(const std::vector<Section>& plugins = {}, bool commented = false);

}  // namespace lotse::config
