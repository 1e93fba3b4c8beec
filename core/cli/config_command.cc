#include <fmt/format.h>

#include <sstream>

#include "core/base/file.h"
#include "core/cli/commands.h"
#include "core/cli/describe.h"
#include "core/cli/facts.h"
#include "core/config/config.h"
#include "core/plugin/plugins.h"

namespace lotse::cli {
namespace {

std::vector<std::string> directories(const std::vector<std::string>& given,
                                     const std::vector<std::string>& configured) {
  return plugin::search_path(given.empty() ? configured : given);
}

// The sections of all plugins that are found, by name.
std::optional<std::vector<config::Section>> plugin_sections(const std::vector<std::string>& plugin_path, Streams streams) {
  auto config = config::load_config("");
  if (!config.ok()) {
    streams.err << config.status().message << "\n";
    return std::nullopt;
  }
  plugin::Plugins plugins(directories(plugin_path, config->daemon.plugin_path));
  std::map<std::string, config::Section> sections;
  for (const plugin::Found& found : plugins.found()) {
    if (!found.problem.empty()) continue;
    for (const std::string& kind : found.note.kinds) {
      auto section = plugins.section(kind, found.note.name);
      if (section.ok())
        sections[section->name] = *section;
      else
        streams.err << "left out: " << section.status().message << "\n";
    }
  }
  std::vector<config::Section> list;
  for (auto& [name, section] : sections) list.push_back(std::move(section));
  return list;
}

// {"file", "good", "complaints": ["file:line:column: sentence"]}
int print_complaints(const std::string& file, const config::Complaints& complaints, Format format, Streams streams) {
  json::Value lines = json::Value::array();
  std::istringstream text(complaints.text());
  for (std::string line; std::getline(text, line);) lines.push(line);
  streams.out << write_facts(json::Value::object({{"file", file}, {"good", complaints.empty()}, {"complaints", std::move(lines)}}), format);
  return complaints.empty() ? kExitOk : kExitFailed;
}

}  // namespace

int check_config(const std::string& file, const std::vector<std::string>& plugin_path, Streams streams, Format format) {
  std::string text;
  if (!file.empty()) {
    auto read = read_file(file, config::kFileMax);
    if (!read.ok()) {
      streams.err << read.status().message << "\n";
      return kExitFailed;
    }
    text = *std::move(read);
  }
  std::string name = file.empty() ? "the embedded default" : file;
  config::Complaints complaints(name);
  config::Config config = config::parse_config(text, name, &complaints);
  // Where the core's sections are wrong, so may be the path and the slots; then only they are spoken of.
  if (complaints.empty())
    plugin::Plugins(directories(plugin_path, config.daemon.plugin_path)).check(config, &complaints);
  if (format != Format::kText) return print_complaints(name, complaints, format, streams);
  if (!complaints.empty()) {
    streams.err << complaints.text() << "\n";
    return kExitFailed;
  }
  streams.out << name << ": good\n";
  return kExitOk;
}

int print_default_config(const std::vector<std::string>& plugin_path, bool commented, Streams streams) {
  auto sections = plugin_sections(plugin_path, streams);
  if (!sections) return kExitFailed;
  streams.out << config::sample_config(*sections, commented);
  return kExitOk;
}

int print_config_page(const std::vector<std::string>& plugin_path, Streams streams) {
  auto sections = plugin_sections(plugin_path, streams);
  if (!sections) return kExitFailed;
  std::vector<config::Section> all = config::core_sections();
  all.push_back(config::registry_section("HOST"));
  all.insert(all.end(), std::make_move_iterator(sections->begin()), std::make_move_iterator(sections->end()));
  streams.out << configuration_page(all, {"lotse.toml", 5, "lotsed(8), lotse(8)"});
  return kExitOk;
}

}  // namespace lotse::cli
