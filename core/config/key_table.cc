#include "core/config/key_table.h"

#include <fmt/format.h>

#include "core/config/values.h"

namespace lotse::config {
namespace {

using Type = TomlValue::Type;

std::string_view wanted(KeyType type) {
  switch (type) {
    case KeyType::kString:
      return "a string";
    case KeyType::kInteger:
      return "an integer";
    case KeyType::kBoolean:
      return "a boolean";
    case KeyType::kStrings:
      return "an array of strings";
    case KeyType::kDuration:
      return "a duration such as \"10s\"";
    case KeyType::kSize:
      return "a size such as \"64MiB\" or an integer";
    case KeyType::kTable:
      return "a table";
  }
  return "nothing";
}

std::string format_integer(int64_t number) {
  return std::to_string(number);
}

// A value of one key, with the words for its complaints.
class Check {
 public:
  Check(const std::string& section, const Key& key, Complaints* complaints)
      : key_(key), complaints_(complaints), subject_(fmt::format("'{}' in [{}]", key.name, section)) {}

  std::optional<MsgValue> value(const TomlValue& v) {
    switch (key_.type) {
      case KeyType::kString:
        if (v.type == Type::kString) return text(v);
        break;
      case KeyType::kInteger:
        if (v.type == Type::kInteger) return number(v, v.integer, format_integer);
        break;
      case KeyType::kBoolean:
        if (v.type == Type::kBoolean) return MsgValue(v.boolean);
        break;
      case KeyType::kStrings:
        if (v.type == Type::kArray) return texts(v);
        break;
      case KeyType::kDuration:
        if (v.type == Type::kString) return amount(v, parse_duration(v.text), format_duration);
        break;
      case KeyType::kSize:
        if (v.type == Type::kString) return amount(v, parse_size(v.text), format_size);
        if (v.type == Type::kInteger) return number(v, v.integer, format_size);
        break;
      case KeyType::kTable:
        if (v.type == Type::kTable) return free_form(v);
        break;
    }
    return fail(v, fmt::format("must be {}, not {}", wanted(key_.type), v.type_name()));
  }

 private:
  std::nullopt_t fail(const TomlValue& v, const std::string& what) {
    complaints_->add(v.place, fmt::format("{} {}", subject_, what));
    return std::nullopt;
  }
  // ", not 'x'", but never what is secret
  std::string found(std::string_view value) const {
    return key_.secret ? "" : fmt::format(", not '{}'", value.substr(0, 100));
  }

  std::optional<MsgValue> text(const TomlValue& v) {
    if (!key_.choices.empty() && std::find(key_.choices.begin(), key_.choices.end(), v.text) == key_.choices.end()) {
      return fail(v, fmt::format("must be one of {}{}{}", fmt::join(key_.choices, ", "), found(v.text),
                                 key_.secret ? "" : suggestion(v.text, key_.choices)));
    }
    if (v.text.find('\0') != std::string::npos) return fail(v, "must not hold a NUL character");
    if (std::string wrong = key_.check ? key_.check(v.text) : ""; !wrong.empty()) {
      return fail(v, key_.secret ? wrong : fmt::format("is '{}', which {}", v.text.substr(0, 100), wrong));
    }
    return MsgValue(v.text);
  }

  std::optional<MsgValue> texts(const TomlValue& v) {
    MsgValue::Array out;
    bool good = true;
    for (const TomlValue& item : v.items) {
      std::optional<MsgValue> one;
      if (item.type == Type::kString)
        one = text(item);
      else
        fail(item, fmt::format("must be {}; one of them is {}", wanted(key_.type), item.type_name()));
      if (one)
        out.push_back(std::move(*one));
      else
        good = false;
    }
    if (!good) return std::nullopt;
    return MsgValue(std::move(out));
  }

  template <class Format>
  std::optional<MsgValue> number(const TomlValue& v, int64_t n, const Format& format) {
    bool ranged = key_.minimum != 0 || key_.maximum != 0;
    if (ranged && (n < key_.minimum || n > key_.maximum)) {
      return fail(v, fmt::format("must be between {} and {}{}", format(key_.minimum), format(key_.maximum),
                                 found(v.type == Type::kString ? v.text : std::to_string(n))));
    }
    if (!ranged && n < 0 && key_.type == KeyType::kSize) return fail(v, "must not be negative");
    return MsgValue(n);
  }

  template <class Format>
  std::optional<MsgValue> amount(const TomlValue& v, const Result<int64_t>& parsed, const Format& format) {
    if (!parsed.ok()) return fail(v, fmt::format("must be {}{}", wanted(key_.type), found(v.text)));
    return number(v, *parsed, format);
  }

  std::optional<MsgValue> free_form(const TomlValue& v) {
    switch (v.type) {
      case Type::kString:
        return MsgValue(v.text);
      case Type::kInteger:
        return MsgValue(v.integer);
      case Type::kReal:
        return MsgValue(v.real);
      case Type::kBoolean:
        return MsgValue(v.boolean);
      case Type::kArray: {
        MsgValue out = MsgValue::array();
        for (const TomlValue& item : v.items) {
          if (auto one = free_form(item)) out.push(std::move(*one));
        }
        return out;
      }
      case Type::kTable: {
        MsgValue out = MsgValue::map();
        for (const TomlMember& member : v.members) {
          if (auto one = free_form(member.value)) out.set(member.key, std::move(*one));
        }
        return out;
      }
      default:
        return fail(v, fmt::format("must not hold {}; write it as a string", v.type_name()));
    }
  }

  const Key& key_;
  Complaints* complaints_;
  std::string subject_;
};

// The fallback as it would stand in the file.
std::string as_toml(const Key& key, const std::string& fallback) {
  bool quoted = key.type == KeyType::kString || key.type == KeyType::kDuration ||
                (key.type == KeyType::kSize && fallback.find_first_not_of("0123456789") != std::string::npos);
  if (!quoted) return fallback;
  std::string out = "\"";
  for (char c : fallback) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::optional<MsgValue> fallback_of(const Section& section, const Key& key, Complaints* complaints) {
  if (!key.fallback) return std::nullopt;
  TomlValue parsed = parse_toml("value = " + as_toml(key, *key.fallback), complaints);
  const TomlMember* member = parsed.find("value");
  if (member == nullptr) return std::nullopt;
  return Check(section.name, key, complaints).value(member->value);
}

// Breaks a comment at 100 columns.
std::string comment(std::string_view text) {
  std::string out, line = "#";
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    if (line.size() + 1 + end > 100) {
      out += line + "\n";
      line = "#";
    }
    line += ' ';
    line += text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return line == "#" ? out : out + line + "\n";
}

std::string facts_of(const Key& key) {
  std::string out(wanted(key.type));
  if (!key.choices.empty()) out = fmt::format("{}", fmt::join(key.choices, " | "));
  if (key.minimum != 0 || key.maximum != 0) {
    auto format = key.type == KeyType::kDuration ? format_duration : key.type == KeyType::kSize ? format_size : nullptr;
    out += format ? fmt::format(", {} to {}", format(key.minimum), format(key.maximum))
                  : fmt::format(", {} to {}", key.minimum, key.maximum);
  }
  if (key.required) out += "; required";
  if (key.reloadable) out += "; may change while it runs";
  return out;
}

}  // namespace

MsgValue check_section(const Section& section, const TomlMember* given, Complaints* complaints) {
  MsgValue out = MsgValue::map();
  const TomlValue* table = given ? &given->value : nullptr;
  if (table && table->type != Type::kTable) {
    complaints->add(given->place,
                    fmt::format("'{}' must be a section [{}], not {}", given->key, section.name, table->type_name()));
    return out;
  }
  std::vector<std::string> names;
  for (const Key& key : section.keys) names.push_back(key.name);
  if (table) {
    for (const TomlMember& member : table->members) {
      if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
      complaints->add(member.place, fmt::format("unknown key '{}' in [{}]{}", member.key.substr(0, 100), section.name,
                                                suggestion(member.key, names)));
    }
  }
  for (const Key& key : section.keys) {
    const TomlMember* member = table ? table->find(key.name) : nullptr;
    std::optional<MsgValue> value;
    if (member)
      value = Check(section.name, key, complaints).value(member->value);
    else if (key.required)
      complaints->add(given ? given->place : Place{},
                      fmt::format("[{}] lacks the required key '{}'", section.name, key.name));
    else
      value = fallback_of(section, key, complaints);
    if (value) out.set(key.name, std::move(*value));
  }
  return out;
}

std::string check_declaration(const Section& section) {
  std::vector<std::string> seen;
  for (const Key& key : section.keys) {
    if (key.name.empty()) return fmt::format("[{}] declares a key without a name", section.name);
    if (key.type < KeyType::kString || key.type > KeyType::kTable) {
      return fmt::format("[{}] declares key '{}' with the unknown type {}", section.name, key.name, int(key.type));
    }
    if (std::find(seen.begin(), seen.end(), key.name) != seen.end()) {
      return fmt::format("[{}] declares key '{}' twice", section.name, key.name);
    }
    if (key.minimum > key.maximum) {
      return fmt::format("[{}] declares key '{}' with a minimum above its maximum", section.name, key.name);
    }
    seen.push_back(key.name);
    Complaints complaints;
    if (key.fallback && !fallback_of(section, key, &complaints)) {
      return fmt::format("[{}] declares key '{}' with a default that its own rules refuse: {}", section.name, key.name,
                         complaints.empty() ? *key.fallback : complaints.list()[0].sentence);
    }
  }
  return "";
}

std::string sample_of(const Section& section) {
  std::string out;
  if (!section.doc.empty()) out += comment(section.doc);
  out += fmt::format("[{}]\n", section.name);
  for (const Key& key : section.keys) {
    out += comment(fmt::format("{} ({})", key.doc, facts_of(key)));
    if (key.fallback)
      out += fmt::format("{} = {}\n", key.name, as_toml(key, *key.fallback));
    else
      out += fmt::format("# {} =\n", key.name);
  }
  return out;
}

}  // namespace lotse::config
