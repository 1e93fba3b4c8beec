#include <fmt/format.h>

#include "core/cli/commands.h"

namespace lotse::cli {
namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (uint8_t(c) < 0x20)
      out += fmt::format("\\u{:04x}", unsigned(uint8_t(c)));
    else
      out += c;
  }
  return out + "\"";
}

std::string json_list(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(json_text(text));
  return fmt::format("[{}]", fmt::join(quoted, ","));
}

void print_json(const std::vector<plugin::Found>& found, std::ostream& out) {
  std::vector<std::string> good, bad;
  for (const plugin::Found& f : found) {
    if (f.problem.empty()) {
      good.push_back(fmt::format(
          "{{\"name\":{},\"kinds\":{},\"version\":{},\"abi\":\"{}.{}\",\"threads\":{},\"requires\":{},\"summary\":{},"
          "\"file\":{}}}",
          json_text(f.note.name), json_list(f.note.kinds), json_text(f.note.version), f.note.abi_major,
          f.note.abi_minor, f.note.threads, json_list(f.note.needs), json_text(f.note.summary), json_text(f.path)));
    } else {
      bad.push_back(fmt::format("{{\"file\":{},\"reason\":{}}}", json_text(f.path), json_text(f.problem)));
    }
  }
  out << fmt::format("{{\"plugins\":[{}],\"refused\":[{}]}}\n", fmt::join(good, ","), fmt::join(bad, ","));
}

using Row = std::vector<std::string>;

void print_table(const std::vector<Row>& rows, std::ostream& out) {
  std::vector<size_t> width(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); i++) width[i] = std::max(width[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); i++)
      line += i + 1 < row.size() ? fmt::format("{:<{}}   ", row[i], width[i]) : row[i];
    out << line << "\n";
  }
}

}  // namespace

int show_plugins(const std::vector<plugin::Found>& found, bool json, Streams streams) {
  if (json) {
    print_json(found, streams.out);
    return kExitOk;
  }
  std::vector<Row> rows = {{"KIND", "NAME", "VERSION", "ABI", "THREADS", "FILE", "SUMMARY"}};
  for (const plugin::Found& f : found) {
    if (!f.problem.empty()) continue;
    for (const std::string& kind : f.note.kinds) {
      rows.push_back({kind, f.note.name, f.note.version, fmt::format("{}.{}", f.note.abi_major, f.note.abi_minor),
                      std::to_string(f.note.threads), f.path, f.note.summary});
    }
  }
  std::sort(rows.begin() + 1, rows.end());
  if (rows.size() > 1)
    print_table(rows, streams.out);
  else
    streams.out << "No plugins were found.\n";
  std::set<std::string> said;
  for (const plugin::Found& f : found) {
    if (!f.problem.empty() && said.insert(f.problem).second) streams.err << "refused: " << f.problem << "\n";
  }
  return kExitOk;
}

}  // namespace lotse::cli
