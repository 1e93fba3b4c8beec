#include "core/config/toml.h"

#include <stdexcept>

namespace lotse::config {
// toml++ asserts what some malformed files break (a control character after "[", for one). Such a file is a complaint,
// in every kind of build, and neither an abort nor undefined behaviour.
[[noreturn]] static void refuse_assertion() {
  throw std::runtime_error("its syntax is wrong in a way that has no name");
}
}  // namespace lotse::config

#undef NDEBUG
#define TOML_ASSERT(expr) ((expr) ? void() : ::lotse::config::refuse_assertion())
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#define TOML_MAX_NESTED_VALUES 32
#include <fmt/format.h>
#include <toml++/toml.h>

namespace lotse::config {
namespace {

Place place_of(const toml::source_region& region) {
  return {int(region.begin.line), int(region.begin.column)};
}

// Counts how deep dotted keys go before toml++ sees them: it builds a table for each part, and a tree of a hundred
// thousand levels would overflow the stack when it is destroyed.
class DepthScan {
 public:
  explicit DepthScan(std::string_view text) : text_(text) {}
  // Where it is too deep; line 0: nowhere.
  Place run() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') step();
        continue;
      }
      if (c == '.')
        dots_++;
      else if (c == '=' || c == ',' || c == '{' || c == '[' || c == '\n')
        dots_ = 0;
      if (dots_ >= kDepthMax) return {line_, column_};
      step();
    }
    return {};
  }

 private:
  void step() {
    column_++;
    if (text_[at_] == '\n') line_++, column_ = 1;
    at_++;
  }
  void skip_string(char quote) {
    std::string three(3, quote);
    bool multi = text_.substr(at_, 3) == three;
    for (int i = 0; i < (multi ? 3 : 1); i++) step();
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
        step();
        step();
      } else if (multi ? text_.substr(at_, 3) == three : text_[at_] == quote || text_[at_] == '\n') {
        for (int i = 0; i < (multi ? 3 : 1); i++) step();
        return;
      } else {
        step();
      }
    }
  }
  std::string_view text_;
  size_t at_ = 0, dots_ = 0;
  int line_ = 1, column_ = 1;
};

TomlValue convert(const toml::node& node) {
  TomlValue out;
  out.place = place_of(node.source());
  if (auto* table = node.as_table()) {
    out.type = TomlValue::Type::kTable;
    for (auto&& [key, value] : *table)
      out.members.push_back({std::string(key.str()), place_of(key.source()), convert(value)});
    std::sort(out.members.begin(), out.members.end(), [](const TomlMember& a, const TomlMember& b) {
      return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
    });
  } else if (auto* array = node.as_array()) {
    out.type = TomlValue::Type::kArray;
    for (auto&& item : *array) out.items.push_back(convert(item));
  } else if (auto* string = node.as_string()) {
    out.type = TomlValue::Type::kString;
    out.text = string->get();
  } else if (auto* integer = node.as_integer()) {
    out.type = TomlValue::Type::kInteger;
    out.integer = integer->get();
  } else if (auto* real = node.as_floating_point()) {
    out.type = TomlValue::Type::kReal;
    out.real = real->get();
  } else if (auto* boolean = node.as_boolean()) {
    out.type = TomlValue::Type::kBoolean;
    out.boolean = boolean->get();
  } else {
    out.type = TomlValue::Type::kTime;
  }
  return out;
}

// One line, without control characters: it quotes what stands in the file.
std::string tidy(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 400)) out += uint8_t(c) < 0x20 ? ' ' : c;
  return out;
}

}  // namespace

const TomlMember* TomlValue::find(std::string_view key) const {
  for (const TomlMember& member : members) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

std::string_view TomlValue::type_name() const {
  switch (type) {
    case Type::kNone:
      return "nothing";
    case Type::kString:
      return "a string";
    case Type::kInteger:
      return "an integer";
    case Type::kReal:
      return "a number with a fraction";
    case Type::kBoolean:
      return "a boolean";
    case Type::kTime:
      return "a date or time";
    case Type::kArray:
      return "an array";
    case Type::kTable:
      return "a table";
  }
  return "nothing";
}

TomlValue parse_toml(std::string_view text, Complaints* complaints) {
  TomlValue none;
  none.type = TomlValue::Type::kTable;
  if (text.size() > kFileMax) {
    complaints->add({}, fmt::format("the file has more than {} bytes", kFileMax));
    return none;
  }
  if (Place deep = DepthScan(text).run(); deep.line != 0) {
    complaints->add(deep, fmt::format("a key has more than {} parts", kDepthMax));
    return none;
  }
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    complaints->add(place_of(error.source()), tidy(error.description()));
  } catch (const std::exception& error) {
    complaints->add({}, fmt::format("it cannot be read: {}", tidy(error.what())));
  }
  return none;
}

}  // namespace lotse::config
