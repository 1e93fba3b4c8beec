// What the subcommands of `lotse` do. Each returns an exit code; text for people goes to *out (standard output) or,
// when something is wrong, to *err.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "core/base/msgpack.h"
#include "core/plugin/discovery.h"

namespace lotse::cli {

enum class Format : uint8_t { kText, kJson, kYaml };  // for people; for programs

// Permanent: scripts look at them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;        // the command failed, or what it looked at has faults
inline constexpr int kExitUsage = 2;         // wrong arguments
inline constexpr int kExitNotReachable = 3;  // no lotsed serves that directory

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

// `lotse plugins`: what was found; runs no code of the plugins. `json`: as one JSON object.
int show_plugins(const std::vector<plugin::Found>& found, bool json, Streams streams);

// `lotse config check [FILE]`: every complaint about the core's sections, the slots and the plugins' sections. Loads
// the plugins for their keys, creates nothing. An empty file: the embedded default.
int check_config(const std::string& file, const std::vector<std::string>& plugin_path, Streams streams, Format format = Format::kText);
// `lotse config default`: the sample, with the sections of all plugins that were found; commented: with no value in force.
int print_default_config(const std::vector<std::string>& plugin_path, bool commented, Streams streams);
// The manual page lotse.toml(5): the same sections and keys.
int print_config_page(const std::vector<std::string>& plugin_path, Streams streams);

// A command for the daemon that serves data_dir. {"data"} frames go to output_file, which appears only once the command
// has ended well.
int ask_daemon(const std::string& data_dir, const MsgValue& request, const std::string& output_file, Streams streams);

}  // namespace lotse::cli
