#include "core/cli/facts.h"

#include <sstream>

namespace lotse::cli {
namespace {

// A text that stands for itself without quotes: nothing that YAML 1.1 or 1.2 reads as a number, a date, a boolean, null or a sign.
bool is_plain(std::string_view text) {
  if (text.empty() || text.size() > 200) return false;
  if (!std::isalpha(static_cast<unsigned char>(text[0])) && text[0] != '/') return false;
  if (text.back() == ':' || text.back() == ' ') return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool inner = c == ' ' || c == ':';
    if (!std::isalnum(c) && std::string_view("-_./+").find(char(c)) == std::string_view::npos && !inner) return false;
    if (c == ':' && i + 1 < text.size() && text[i + 1] == ' ') return false;
  }
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (std::string_view word : {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"})
    if (lower == word) return false;
  return true;
}

std::string scalar(const json::Value& value) {
  if (value.is_string() && is_plain(value.str())) return std::string(value.str());
  return json::write(value);
}

bool is_block(const json::Value& value) { return (value.is_object() || value.is_array()) && !value.empty(); }

void write(const json::Value& value, size_t indent, std::string* out) {
  const std::string pad(indent, ' ');
  bool first = true;  // the line of the first member has been begun by the list that holds it
  auto begin = [&] { out->append(std::exchange(first, false) ? "" : pad); };
  if (value.is_array()) {
    for (const auto& item : value.items()) {
      begin();
      *out += "- ";
      if (is_block(item)) write(item, indent + 2, out);
      else *out += scalar(item) + "\n";
    }
    return;
  }
  for (const auto& [key, member] : value.members()) {
    begin();
    *out += scalar(key) + ":";
    if (!is_block(member)) {
      *out += " " + scalar(member) + "\n";
      continue;
    }
    const size_t inner = member.is_array() ? indent : indent + 2;
    *out += "\n" + std::string(inner, ' ');
    write(member, inner, out);
  }
}

}  // namespace

Format format_of(std::string_view name) { return name == "json" ? Format::kJson : name == "yaml" ? Format::kYaml : Format::kText; }

std::string yaml(const json::Value& value) {
  if (!is_block(value)) return scalar(value) + "\n";
  std::string out;
  write(value, 0, &out);
  return out;
}

std::string write_facts(const json::Value& value, Format format) { return format == Format::kYaml ? yaml(value) : json::write_pretty(value) + "\n"; }

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(width[i] - row[i].size() + 3, ' ');
    }
    out += "\n";
  }
  return out;
}

int ask_for_facts(const std::string& data_dir, MsgValue request, Format format, Streams streams) {
  if (format == Format::kText) return ask_daemon(data_dir, request, "", streams);
  request.set("output", "json");
  std::ostringstream answer;
  const int code = ask_daemon(data_dir, request, "", {answer, streams.err});
  if (code != kExitOk && answer.str().empty()) return code;
  auto document = json::parse(answer.str());
  if (!document.ok()) {
    streams.err << "lotse: lotsed answers in a form that is not known: is it of another version?\n";
    return kExitFailed;
  }
  streams.out << write_facts(*document, format);
  return code;
}

}  // namespace lotse::cli
