#include "core/config/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/config/values.h"

namespace lotse::config {
namespace {

std::string text_of(const MsgValue& section, std::string_view key) {
  return std::string(section[key].as_text());
}

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  std::string out = name;
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return out;
}

void check_kind(const TomlMember& kind, Config* config, Complaints* complaints) {
  const auto& kinds = plugin_kinds();
  if (std::find(kinds.begin(), kinds.end(), kind.key) == kinds.end()) {
    complaints->add(kind.place, fmt::format("unknown kind '{}' in [plugins.{}]{}", kind.key.substr(0, 100),
                                            kind.key.substr(0, 100), suggestion(kind.key, kinds)));
    return;
  }
  for (const TomlMember& plugin : kind.value.members) {
    if (plugin.value.type == TomlValue::Type::kTable) {
      config->plugins.push_back({kind.key, plugin.key, plugin});
    } else {
      complaints->add(plugin.place,
                      fmt::format("'{}' in [plugins.{}] must be a section [plugins.{}.<name>], not {}",
                                  plugin.key.substr(0, 100), kind.key, kind.key, plugin.value.type_name()));
    }
  }
}

void check_registry(const TomlMember& table, Config* config, Complaints* complaints) {
  if (std::string wrong = check_registry_host(table.key); !wrong.empty()) {
    complaints->add(table.place, fmt::format("'{}' in [registries] {}", table.key.substr(0, 100), wrong));
    return;
  }
  const Section section = registry_section(table.key);
  const MsgValue values = check_section(section, &table, complaints);
  Config::Registry r{table.key, values["mirrors"].as_strings(), text_of(values, "ca_file"), text_of(values, "username"),
                     text_of(values, "password"), text_of(values, "password_file"), values["insecure"].as_bool()};
  auto complain = [&](std::string_view key, std::string_view what) {
    const TomlMember* member = table.value.find(key);
    complaints->add(member ? member->place : table.place, fmt::format("'{}' in [{}] {}", key, section.name, what));
  };
  if (!r.password.empty() && !r.password_file.empty()) complain("password_file", "stands beside 'password': one of them is enough");
  if (r.username.empty() && !(r.password.empty() && r.password_file.empty())) complain("username", "is missing beside a password");
  if (!r.password.empty() && is_open_to_others(config->file))
    complain("password", "stands in a file that others can read: make that 0600, or name a 'password_file'");
  if (std::find(r.mirrors.begin(), r.mirrors.end(), r.host) != r.mirrors.end()) complain("mirrors", "names the registry itself");
  config->registries.push_back(std::move(r));
}

void check_registries(const TomlMember& member, Config* config, Complaints* complaints) {
  if (member.value.type != TomlValue::Type::kTable) {
    complaints->add(member.place, "'registries' must consist of sections [registries.\"<host>\"]");
    return;
  }
  for (const TomlMember& table : member.value.members) {
    if (table.value.type == TomlValue::Type::kTable) {
      check_registry(table, config, complaints);
    } else {
      complaints->add(table.place, fmt::format("'{}' in [registries] must be a section [registries.\"<host>\"], not {}",
                                               table.key.substr(0, 100), table.value.type_name()));
    }
  }
}

void check_top_level(const TomlValue& root, Config* config, Complaints* complaints) {
  std::vector<std::string> names = {"plugins", "registries"};
  for (const Section& section : core_sections()) names.push_back(section.name);
  for (const TomlMember& member : root.members) {
    if (std::find(names.begin(), names.end(), member.key) == names.end()) {
      bool table = member.value.type == TomlValue::Type::kTable;
      std::string shown = member.key.substr(0, 100);
      complaints->add(member.place,
                      table ? fmt::format("unknown section [{}]{}", shown, suggestion(member.key, names, "[]"))
                            : fmt::format("key '{}' stands outside of a section", shown));
    } else if (member.key == "registries") {
      check_registries(member, config, complaints);
    } else if (member.key == "plugins") {
      if (member.value.type != TomlValue::Type::kTable) {
        complaints->add(member.place, "'plugins' must consist of sections [plugins.<kind>.<name>]");
      }
      for (const TomlMember& kind : member.value.members) check_kind(kind, config, complaints);
    }
  }
}

// At most one network a family, and of the same families, so that every pod and Service can have both.
void check_families(const TomlValue& root, const Config::Network& network, Complaints* complaints) {
  auto families = [](const std::vector<std::string>& cidrs) {
    std::string out;
    for (const std::string& cidr : cidrs) out += cidr.find(':') == std::string::npos ? '4' : '6';
    return out;
  };
  const TomlMember* section = root.find("network");
  auto place = [&](std::string_view key) {
    const TomlMember* member = section ? section->value.find(key) : nullptr;
    return member ? member->place : section ? section->place : Place{};
  };
  std::string pods = families(network.pod_cidr), services = families(network.service_cidr);
  auto good = [](const std::string& f) { return f == "4" || f == "6" || f == "46" || f == "64"; };
  if (!good(pods))
    complaints->add(place("pod_cidr"),
                    "'pod_cidr' in [network] must hold one IPv4 network, one IPv6 network or one of each");
  if (!good(services))
    complaints->add(place("service_cidr"),
                    "'service_cidr' in [network] must hold one IPv4 network, one IPv6 network or one of each");
  if (good(pods) && good(services) && pods != services) {
    complaints->add(
        place("service_cidr"),
        "'service_cidr' in [network] must be of the same address families as 'pod_cidr', in the same order");
  }
}

void check_rules(const TomlValue& root, const Config& config, Complaints* complaints) {
  auto place = [&](std::string_view section, std::string_view key) {
    const TomlMember* table = root.find(section);
    const TomlMember* member = table ? table->value.find(key) : nullptr;
    return member ? member->place : Place{};
  };
  auto not_empty = [&](std::string_view section, std::string_view key, const std::vector<std::string>& list) {
    if (list.empty()) complaints->add(place(section, key), fmt::format("'{}' in [{}] must not be empty", key, section));
    for (size_t i = 0; i < list.size(); i++) {
      if (std::find(list.begin(), list.begin() + long(i), list[i]) != list.begin() + long(i)) {
        complaints->add(place(section, key), fmt::format("'{}' in [{}] names '{}' twice", key, section, list[i]));
      }
    }
  };
  not_empty("daemon", "roles", config.daemon.roles);
  not_empty("components", "transport", config.components.transport);
  not_empty("components", "scheduler", config.components.scheduler);
  check_families(root, config.network, complaints);
  if (config.worker.gc_low_percent > config.worker.gc_high_percent)
    complaints->add(place("worker", "image_gc_low_percent"),
                    "'image_gc_low_percent' in [worker] must not be above 'image_gc_high_percent'");
  if (config.worker.care_period < 100'000'000)
    complaints->add(place("worker", "care_period"), "'care_period' in [worker] must be 100ms at least");
}

}  // namespace

bool Config::has_role(std::string_view role) const {
  return std::find(daemon.roles.begin(), daemon.roles.end(), role) != daemon.roles.end();
}

const PluginTable* Config::plugin(std::string_view kind, std::string_view name) const {
  for (const PluginTable& table : plugins) {
    if (table.kind == kind && table.name == name) return &table;
  }
  return nullptr;
}

Config parse_config(std::string_view text, const std::string& file, Complaints* complaints) {
  Config config;
  config.file = file;
  TomlValue root = parse_toml(text, complaints);
  if (!complaints->empty()) return config;
  check_top_level(root, &config, complaints);
  std::map<std::string, MsgValue> sections;
  for (const Section& section : core_sections()) {
    sections[section.name] = check_section(section, root.find(section.name), complaints);
  }
  const MsgValue& daemon = sections["daemon"];
  config.daemon = {daemon["roles"].as_strings(), text_of(daemon, "data_dir"), text_of(daemon, "node_name"),
                   text_of(daemon, "log_level"), daemon["plugin_path"].as_strings()};
  if (config.daemon.node_name.empty()) config.daemon.node_name = host_name();
  const MsgValue& components = sections["components"];
  config.components = {components["transport"].as_strings(), components["scheduler"].as_strings(),
                       text_of(components, "state"), text_of(components, "runtime"), text_of(components, "proxy")};
  config.api = {text_of(sections["api"], "advertise_address"), sections["api"]["tls_san"].as_strings()};
  config.bus = {text_of(sections["bus"], "listen"), text_of(sections["bus"], "join_file")};
  const MsgValue& w = sections["worker"];
  auto number = [&](std::string_view name) { return static_cast<int>(w[name].as_int()); };
  config.worker = {number("pods_max"), number("eviction_disk_available_percent"), number("eviction_inodes_free_percent"),
                   number("image_gc_high_percent"), number("image_gc_low_percent"), number("log_files"),
                   w["eviction_memory_available"].as_int(), w["log_file_size"].as_int(), w["care_period"].as_int(),
                   w["eviction_transition"].as_int(), w["image_gc_age_min"].as_int(), w["image_gc_period"].as_int()};
  const MsgValue& network = sections["network"];
  config.network = {network["pod_cidr"].as_strings(), network["service_cidr"].as_strings(),
                    text_of(network, "cluster_domain"), text_of(network, "backend"), network["load_balancer"].as_bool(true)};
  config.sections = std::move(sections);
  if (complaints->empty()) check_rules(root, config, complaints);
  return config;
}

Result<Config> load_config(const std::string& path) {
  std::string text;
  if (!path.empty()) {
    LOTSE_TRY(text, read_file(path, kFileMax));
  }
  Complaints complaints(path.empty() ? "the embedded default" : path);
  Config config = parse_config(text, path, &complaints);
  LOTSE_CHECK_OK(complaints.status());
  return config;
}

MsgValue check_plugin(const Config& config, const std::string& kind, const std::string& name, std::vector<Key> keys,
                      Complaints* complaints) {
  const PluginTable* table = config.plugin(kind, name);
  return check_section({fmt::format("plugins.{}.{}", kind, name), "", std::move(keys)}, table ? &table->table : nullptr,
                       complaints);
}

namespace {

// A plugin's section is only read where the plugin is used, and may lack what is required: not in force as it stands.
std::string comment_out(const std::string& text, bool header_too) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at) + 1;
    if (text[at] != '#' && (text[at] != '[' || header_too)) out += '#';
    out += text.substr(at, end - at);
    at = end;
  }
  return out;
}

}  // namespace

std::string sample_config(const std::vector<Section>& plugins, bool commented) {
  std::string out =
      "# Configuration of lotsed, in TOML. What stands here is the default: a file needs only what differs.\n";
  for (const Section& section : core_sections()) {
    const std::string text = sample_of(section);
    out += "\n" + (commented ? comment_out(text, false) : text);
  }
  out += "\n" + comment_out(sample_of(registry_section("registry.example.com")), true);
  for (const Section& section : plugins) out += "\n" + comment_out(sample_of(section), true);
  return out;
}

}  // namespace lotse::config
