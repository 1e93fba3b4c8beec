// Completion scripts: a table from the words before the cursor to those that may follow.
#include <fmt/format.h>

#include <CLI/App.hpp>

#include "core/cli/describe.h"

namespace lotse::cli {
namespace {

std::vector<std::string> names(const CLI::Option& option) {
  std::vector<std::string> out;
  for (const auto& s : option.get_snames()) out.push_back("-" + s);
  for (const auto& l : option.get_lnames()) out.push_back("--" + l);
  return out;
}

struct Node {
  std::string path;  // " token create"
  const CLI::App* app;
};

void walk(const CLI::App& app, const std::string& path, std::vector<Node>* out) {
  out->push_back({path, &app});
  for (const CLI::App* sub : app.get_subcommands({}))
    if (!sub->get_group().empty()) walk(*sub, path + " " + sub->get_name(), out);
}

// What may be an option of `node`: its own and, as they fall through, those of the program.
std::vector<const CLI::Option*> options_of(const Node& node, const CLI::App& root) {
  std::vector<const CLI::Option*> out;
  for (const CLI::Option* o : node.app->get_options())
    if (!o->get_positional()) out.push_back(o);
  if (node.app != &root)
    for (const CLI::Option* o : root.get_options())
      if (takes_value(*o)) out.push_back(o);
  return out;
}

// The word that is no option: a file, or one of a few.
const CLI::Option* operand(const CLI::App& app) {
  for (const CLI::Option* o : app.get_options())
    if (o->get_positional()) return o;
  return nullptr;
}

std::string bash(const CLI::App& app) {
  std::vector<Node> nodes;
  walk(app, "", &nodes);
  std::set<std::string> with_value;
  std::string table, values;
  for (const Node& node : nodes) {
    std::vector<std::string> words;
    for (const CLI::App* sub : node.app->get_subcommands({}))
      if (!sub->get_group().empty()) words.push_back(sub->get_name());
    for (const CLI::Option* o : options_of(node, app)) {
      for (const std::string& name : names(*o)) {
        words.push_back(name);
        if (!takes_value(*o) || !with_value.insert(name).second) continue;
        const auto list = choices(*o);
        if (!list.empty()) values += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return ;;\n", name, fmt::join(list, " "));
      }
    }
    const CLI::Option* rest = operand(*node.app);
    const auto few = rest ? choices(*rest) : std::vector<std::string>();
    words.insert(words.end(), few.begin(), few.end());
    table += fmt::format("    \"{}\") words=\"{}\"{} ;;\n", node.path, fmt::join(words, " "), rest && few.empty() ? " files=yes" : "");
  }
  const std::string name = app.get_name();
  std::string out = fmt::format("# completion of {0} for bash; made by `{0} completion bash`\n_{0}() {{\n", name);
  out += "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" path=\"\" words=\"\" files=\"\" i\n  COMPREPLY=()\n";
  out += "  case \"$before\" in\n" + values;
  out += fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n  esac\n", fmt::join(with_value, "|"));
  out += "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"${COMP_WORDS[i]}\" in\n";
  out += fmt::format("      {}) i=$((i + 1)) ;;\n      -*) ;;\n      *) path=\"$path ${{COMP_WORDS[i]}}\" ;;\n    esac\n  done\n", fmt::join(with_value, "|"));
  out += "  case \"$path\" in\n" + table + "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n";
  out += "  if [ -n \"$files\" ] && [[ \"$word\" != -* ]]; then COMPREPLY+=($(compgen -f -- \"$word\")); fi\n}\n";
  return out + fmt::format("complete -o filenames -F _{0} {0}\n", name);
}

std::string zsh(const CLI::App& app) {
  return "#compdef " + app.get_name() + "\nautoload -U +X bashcompinit && bashcompinit\n" + bash(app);
}

std::string fish_text(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "'";
}

std::string fish(const CLI::App& app) {
  const std::string name = app.get_name();
  std::vector<Node> nodes;
  walk(app, "", &nodes);
  std::string out = fmt::format("# completion of {0} for fish; made by `{0} completion fish`\ncomplete -c {0} -f\n", name);
  for (const Node& node : nodes) {
    std::string when = "__fish_use_subcommand";
    const size_t last = node.path.rfind(' ');
    std::string known;
    for (const CLI::App* sub : node.app->get_subcommands({})) known += " " + sub->get_name();
    if (last != std::string::npos) when = "__fish_seen_subcommand_from " + node.path.substr(last + 1);
    if (last != std::string::npos && !known.empty()) when += "; and not __fish_seen_subcommand_from" + known;
    for (const CLI::App* sub : node.app->get_subcommands({}))
      if (!sub->get_group().empty())
        out += fmt::format("complete -c {} -n {} -a {} -d {}\n", name, fish_text(when), sub->get_name(), fish_text(sub->get_description()));
    for (const CLI::Option* o : node.app->get_options()) {
      if (o->get_group().empty()) continue;
      const auto few = choices(*o);
      if (o->get_positional()) {
        out += fmt::format("complete -c {} -n {} {}\n", name, fish_text(when), few.empty() ? "-F" : fmt::format("-a '{}'", fmt::join(few, " ")));
        continue;
      }
      out += fmt::format("complete -c {}{}", name, last == std::string::npos ? "" : " -n " + fish_text(when));
      for (const auto& s : o->get_snames()) out += " -s " + s;
      for (const auto& l : o->get_lnames()) out += " -l " + l;
      if (takes_value(*o)) out += few.empty() ? " -r -F" : fmt::format(" -x -a '{}'", fmt::join(few, " "));
      out += " -d " + fish_text(o->get_description()) + "\n";
    }
  }
  return out;
}

}  // namespace

// "TEXT:{table,json}" -> table, json
std::vector<std::string> choices(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{'), end = type.find('}');
  std::vector<std::string> out;
  if (begin == std::string::npos || end == std::string::npos) return out;
  for (size_t at = begin + 1; at < end;) {
    const size_t comma = std::min(type.find(',', at), end);
    out.push_back(type.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() != 0 && !option.get_positional(); }

std::string completion(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return zsh(app);
  if (shell == "fish") return fish(app);
  return "";
}

}  // namespace lotse::cli
