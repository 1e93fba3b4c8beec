#include "core/cli/describe.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <catch2/catch.hpp>

#include "core/config/config.h"

using namespace lotse;
using namespace lotse::cli;

namespace {

// lotse with one command of each form.
struct CommandLine {
  CLI::App app{"lotse: run and look after it.", "lotse"};
  std::string text;
  CommandLine() {
    app.add_option("--data-dir", text, "Where it lies");
    auto* token = app.add_subcommand("token", "Tokens");
    token->add_subcommand("create", "Print one")->add_option("--ttl", text, "How long it is valid")->default_str("24h");
    app.add_subcommand("status", "Show how it is")->add_option("-o,--output", text, "How to print it")->check(CLI::IsMember({"table", "json"}));
    app.add_subcommand("backup", "Write all to a file")->add_option("FILE", text, "The file. It's written whole")->required();
    app.add_subcommand("manual", "Not for people")->group("");
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("completion knows commands, options and their values, and nothing hidden") {
  CommandLine line;
  const std::string bash = completion(line.app, "bash");
  CHECK(has(bash, "\"\") words=\"token status backup"));
  CHECK(has(bash, "\" token\") words=\"create "));
  CHECK(has(bash, "\" token create\") words=\"-h --help --ttl --data-dir\""));
  CHECK(has(bash, "--output) COMPREPLY=($(compgen -W \"table json\""));
  CHECK(has(bash, "\" backup\") words=\"-h --help --data-dir\" files=yes"));
  CHECK_FALSE(has(bash, "manual"));
  CHECK(has(completion(line.app, "fish"), "complete -c lotse -n '__fish_seen_subcommand_from status' -s o -l output -x -a 'table json'"));
  CHECK(completion(line.app, "zsh").starts_with("#compdef lotse\n"));
  CHECK(completion(line.app, "tcsh").empty());
}

TEST_CASE("the manual page is what --help says, and no text of it commands the formatter") {
  CommandLine line;
  line.app.footer(".TH is no heading here\n'nor this");
  const std::string page = manual_page(line.app, {"lotse", 8, "lotsed(8)"});
  CHECK(page.starts_with(".TH LOTSE 8 "));
  CHECK(has(page, "lotse \\- run and look after it\n"));
  CHECK(has(page, ".SS \"lotse token create\"\nPrint one.\n"));
  CHECK(has(page, "\\fB\\-\\-ttl\\fR \\fITTL\\fR\nHow long it is valid (default 24h)\n"));
  CHECK(has(page, "\\fB\\-o, \\-\\-output\\fR \\fItable|json\\fR\n"));
  CHECK(has(page, ".SS \"lotse backup FILE\"\n"));
  CHECK(has(page, "\n\\&.TH is no heading here\n\\&'nor this\n"));
  CHECK_FALSE(has(page, "manual"));
}

TEST_CASE("the page of the configuration has every key of every section") {
  const std::string page = configuration_page(config::core_sections(), {"lotse.toml", 5, ""});
  for (const auto& section : config::core_sections()) {
    CHECK(has(page, ".SH \"[" + section.name + "]\"\n"));
    for (const auto& key : section.keys) {
      std::string name = key.name;
      for (size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2) name.insert(at, "\\");
      CHECK(has(page, "\\fB" + name + "\\fR "));
    }
  }
}
