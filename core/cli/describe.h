// What a command line and the key tables say of themselves, in other forms: manual pages and the shells' completion. The tables that
// make --help are the one source, so that nothing can disagree.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/config/key_table.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lotse::cli {

struct Page {
  std::string name;      // "lotse"
  int section = 8;       // of the manual
  std::string see_also;  // "lotsed(8), lotse.toml(5)"
};

// The manual page of a command, for man(1).
std::string manual_page(const CLI::App& app, const Page& page);
// The manual page lotse.toml(5).
std::string configuration_page(const std::vector<config::Section>& sections, const Page& page);
// A script for "bash", "zsh" or "fish"; empty for any other shell.
std::string completion(const CLI::App& app, std::string_view shell);

// Of one option: the words it may have, and whether a word follows it at all.
std::vector<std::string> choices(const CLI::Option& option);
bool takes_value(const CLI::Option& option);

}  // namespace lotse::cli
