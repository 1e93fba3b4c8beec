// Pages in the language of man(7).
#include <fmt/format.h>

#include <CLI/App.hpp>

#include "core/cli/describe.h"

namespace lotse::cli {
namespace {

// Text as it is: no character of it commands the formatter.
std::string plain(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += std::string("\\&") + c;
    else out += c;
  }
  return out;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
  return text;
}

std::string head(const Page& page, std::string_view what) {
  return fmt::format(".TH {} {} \"\" \"Lotse {}\" \"Lotse\"\n.SH NAME\n{} \\- {}\n", upper(plain(page.name)), page.section, LOTSE_VERSION,
                     plain(page.name), plain(what));
}

std::string tail(const Page& page) { return page.see_also.empty() ? "" : ".SH SEE ALSO\n" + plain(page.see_also) + "\n"; }

std::string item(std::string_view name, std::string_view value, std::string_view text) {
  std::string out = fmt::format(".TP\n\\fB{}\\fR", plain(name));
  if (!value.empty()) out += fmt::format(" \\fI{}\\fR", plain(value));
  return out + "\n" + plain(text) + "\n";
}

// "table|json", or what the option is called.
std::string value_of(const CLI::Option& option) {
  if (!takes_value(option)) return "";
  const auto list = choices(option);
  if (!list.empty()) return fmt::format("{}", fmt::join(list, "|"));
  const auto& names = option.get_lnames();
  return names.empty() ? "VALUE" : upper(names.front());
}

std::string options(const CLI::App& app, bool top) {
  std::string out;
  for (const CLI::Option* o : app.get_options()) {
    if (o->get_group().empty() || (!top && o == app.get_help_ptr())) continue;
    std::string text = o->get_description();
    if (!o->get_default_str().empty()) text += " (default " + o->get_default_str() + ")";
    std::string names = o->get_positional() ? o->get_name(true, false) : o->get_name(false, true);
    if (const size_t comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
    out += item(names, value_of(*o), text);
  }
  return out;
}

void commands(const CLI::App& app, const std::string& path, std::string* out) {
  for (const CLI::App* sub : app.get_subcommands({})) {
    if (sub->get_group().empty()) continue;
    const std::string name = path + " " + sub->get_name();
    if (sub->get_subcommands({}).empty()) {
      std::string operands;
      for (const CLI::Option* o : sub->get_options())
        if (o->get_positional()) operands += (o->get_required() ? " " : " [") + o->get_name(true, false) + (o->get_required() ? "" : "]");
      *out += fmt::format(".SS \"{}\"\n{}.\n", plain(name + operands), plain(sub->get_description()));
      *out += options(*sub, false);
    }
    commands(*sub, name, out);
  }
}

}  // namespace

std::string manual_page(const CLI::App& app, const Page& page) {
  std::string what = app.get_description();
  if (const size_t colon = what.find(": "); colon != std::string::npos) what = what.substr(colon + 2);
  while (!what.empty() && what.back() == '.') what.pop_back();
  std::string list;
  commands(app, page.name, &list);
  std::string out = head(page, what);
  out += fmt::format(".SH SYNOPSIS\n\\fB{}\\fR [\\fIoptions\\fR]{}\n", plain(page.name), list.empty() ? "" : " \\fIcommand\\fR");
  out += ".SH OPTIONS\n" + options(app, true);
  if (!list.empty()) out += ".SH COMMANDS\n" + list;
  if (!app.get_footer().empty()) out += ".SH NOTES\n" + plain(app.get_footer()) + "\n";
  return out + tail(page);
}

std::string configuration_page(const std::vector<config::Section>& sections, const Page& page) {
  static constexpr const char* kTypes[] = {"", "string", "integer", "boolean", "array of strings", "duration", "size", "table"};
  std::string out = head(page, "configuration of lotsed");
  out += ".SH DESCRIPTION\n" + plain("A file in TOML. Every key has a default: the file needs only what differs. `lotse config check FILE` says all "
                                     "that is wrong with one, by line and column; `lotse config default` prints the defaults.") + "\n";
  for (const auto& section : sections) {
    out += fmt::format(".SH \"[{}]\"\n{}\n", plain(section.name), plain(section.doc));
    for (const auto& key : section.keys) {
      std::string text = key.doc;
      if (!key.choices.empty()) text += fmt::format(" One of: {}.", fmt::join(key.choices, ", "));
      if (key.minimum != 0 || key.maximum != 0) text += fmt::format(" From {} to {}.", key.minimum, key.maximum);
      if (key.fallback) text += fmt::format(" Default: {}.", key.fallback->empty() ? "empty" : *key.fallback);
      if (key.required) text += " It must be given.";
      out += item(key.name, kTypes[static_cast<size_t>(key.type)], text);
    }
  }
  return out + tail(page);
}

}  // namespace lotse::cli
