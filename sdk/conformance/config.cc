#include "sdk/conformance/config.h"

#include <lotse/msgpack.hpp>
#include <map>
#include <sstream>
#include <stdexcept>

namespace lotse::check {
namespace {

std::string trimmed(const std::string& text) {
  size_t from = text.find_first_not_of(" \t\r");
  size_t to = text.find_last_not_of(" \t\r");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}
std::string unquoted(const std::string& text) {
  bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// "1h30m", "8MiB" or a plain number.
int64_t number_with_units(const std::string& text, const std::map<std::string, int64_t>& units) {
  int64_t total = 0;
  size_t at = 0;
  if (text.empty()) throw std::runtime_error("a number is missing");
  while (at < text.size()) {
    size_t digits = 0;
    double number = std::stod(text.substr(at), &digits);
    at += digits;
    size_t end = text.find_first_of("0123456789.", at);
    if (end == std::string::npos) end = text.size();
    auto unit = units.find(text.substr(at, end - at));
    if (unit == units.end()) throw std::runtime_error("'" + text + "' has an unknown unit");
    total += static_cast<int64_t>(number * static_cast<double>(unit->second));
    at = end;
  }
  return total;
}

sdk::Msg strings(const std::string& text) {
  std::vector<std::string> out;
  std::stringstream items(text.substr(1, text.size() - 2));
  for (std::string item; std::getline(items, item, ',');) {
    if (!trimmed(item).empty()) out.push_back(unquoted(trimmed(item)));
  }
  return sdk::Msg::strings(out);
}

sdk::Msg value(const lotse_key& key, const std::string& text) {
  static const std::map<std::string, int64_t> kDurations{{"ns", 1},         {"us", 1000},       {"ms", 1000000},
                                                         {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
  static const std::map<std::string, int64_t> kSizes{{"", 1},          {"B", 1},         {"KiB", 1 << 10},
                                                     {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40}};
  switch (key.type) {
    case LOTSE_KEY_STRING:
      return sdk::Msg(unquoted(text));
    case LOTSE_KEY_INTEGER:
      return sdk::Msg(static_cast<int64_t>(std::stoll(text)));
    case LOTSE_KEY_BOOLEAN:
      return sdk::Msg(text == "true");
    case LOTSE_KEY_STRINGS:
      return strings(text);
    case LOTSE_KEY_DURATION:
      return sdk::Msg(number_with_units(unquoted(text), kDurations));
    case LOTSE_KEY_SIZE:
      return sdk::Msg(number_with_units(unquoted(text), kSizes));
    default:
      throw std::runtime_error(std::string("a table cannot be given here: ") + key.name);
  }
}
}  // namespace

std::string make_config(const lotse_factory& factory, const std::string& text) {
  std::map<std::string, std::string> given;
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = trimmed(line.substr(0, line.find('#')));
    size_t equals = line.find('=');
    if (line.empty() || line.front() == '[') continue;
    if (equals == std::string::npos) throw std::runtime_error("the configuration has a line without '=': " + line);
    given[trimmed(line.substr(0, equals))] = trimmed(line.substr(equals + 1));
  }
  sdk::Msg map = sdk::Msg::map();
  for (uint32_t i = 0; i < factory.key_count; ++i) {
    const lotse_key& key = factory.keys[i];
    auto found = given.find(key.name);
    if (found != given.end()) {
      map.set(key.name, value(key, found->second));
      given.erase(found);
    } else if (key.fallback != nullptr) {
      map.set(key.name, value(key, key.fallback));
    } else if ((key.flags & LOTSE_KEY_REQUIRED) != 0) {
      throw std::runtime_error(std::string("the plugin needs the key '") + key.name + "': give it with --config");
    }
  }
  if (!given.empty()) throw std::runtime_error("the plugin has no key '" + given.begin()->first + "'");
  return map.encode();
}

}  // namespace lotse::check
