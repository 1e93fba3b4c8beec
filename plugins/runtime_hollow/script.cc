#include "plugins/runtime_hollow/script.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wclass-memaccess"
#include <rapidjson/document.h>
#pragma GCC diagnostic pop

#include "lotse/error.hpp"

namespace lotse::runtime_hollow {
namespace {

[[noreturn]] void refuse(size_t line, const std::string& why) {
  throw sdk::Failure(LOTSE_INVALID, "the script's line " + std::to_string(line) + " " + why);
}

bool fits(const std::string& pattern, std::string_view name) {
  if (pattern.empty() || pattern.back() != '*') return pattern == name;
  return name.substr(0, pattern.size() - 1) == std::string_view(pattern).substr(0, pattern.size() - 1);
}

struct Taker {
  size_t line;
  std::string key;
  const rapidjson::Value& value;

  bool take(const char* name, std::string* out) const {
    if (key != name) return false;
    if (!value.IsString()) refuse(line, "must have a text for \"" + key + "\"");
    out->assign(value.GetString(), value.GetStringLength());
    return true;
  }
  template <class Int>
  bool take_number(const char* name, Int* out) const {
    if (key != name) return false;
    if (!value.IsInt() || value.GetInt() < 0) refuse(line, "must have a number from 0 for \"" + key + "\"");
    *out = value.GetInt();
    return true;
  }
  bool take(const char* name, bool* out) const {
    if (key != name) return false;
    if (!value.IsBool()) refuse(line, "must have true or false for \"" + key + "\"");
    *out = value.GetBool();
    return true;
  }
};

Rule rule_of(std::string_view text, size_t line) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (document.HasParseError() || !document.IsObject()) refuse(line, "is no JSON object");
  Rule rule;
  for (auto& member : document.GetObject()) {
    Taker t{line, {member.name.GetString(), member.name.GetStringLength()}, member.value};
    bool known = t.take("namespace", &rule.name_space) || t.take("pod", &rule.pod) ||
                 t.take("container", &rule.container) || t.take_number("start_delay_ms", &rule.start_delay_ms) ||
                 t.take("start_error", &rule.start_error) || t.take_number("exit_after_ms", &rule.exit_after_ms) ||
                 t.take_number("exit_code", &rule.exit_code) || t.take("reason", &rule.reason) ||
                 t.take("ready", &rule.ready) || t.take("stdout", &rule.out);
    if (!known) refuse(line, "has an unknown key \"" + t.key + "\"");
  }
  return rule;
}

}  // namespace

Script Script::parse(std::string_view text) {
  Script script;
  for (size_t number = 1; !text.empty(); number++) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') continue;
    script.rules_.push_back(rule_of(line, number));
  }
  return script;
}

Rule Script::find(std::string_view name_space, std::string_view pod, std::string_view container) const {
  for (auto& rule : rules_) {
    if (fits(rule.name_space, name_space) && fits(rule.pod, pod) && fits(rule.container, container)) return rule;
  }
  return {};
}

}  // namespace lotse::runtime_hollow
